/** The component: one viewer for one place in the page, kept while the page runs again. */
import { Viewer } from "./viewer.js";

/** @type {WeakMap<Node, Viewer>} */
const viewers = new WeakMap();

/**
 * Called by Streamlit at first and whenever the data changes.
 * @param {{parentElement: HTMLElement|ShadowRoot, data: {study: string},
 *   setTriggerValue: (name: string, value: any) => void,
 *   setStateValue: (name: string, value: any) => void}} component
 */
export default function viewer(component) {
  const { parentElement, data } = component;
  let held = viewers.get(parentElement);
  if (!held) {
    held = new Viewer(parentElement);
    viewers.set(parentElement, held);
  }
  held.update(data.study, component);
  return () => {
    // Streamlit may also clean up a call that a newer one has overtaken: the viewer stays then.
    if (parentElement.isConnected) return;
    viewers.delete(parentElement);
    held.destroy();
  };
}
