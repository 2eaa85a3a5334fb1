/** The one rendering engine of the page: as many viewers as are open share its one WebGL context. */
import { Enums, RenderingEngine, eventTarget, init as initCore } from "@cornerstonejs/core";
import { init as initTools } from "@cornerstonejs/tools";

let engine = null;
let users = 0;
let opened = 0;
let ready = null;
/** @type {Set<HTMLCanvasElement>} */
const canvases = new Set();

/** Say whether this browser draws with WebGL 2 into floating-point textures, as 16 bits need. */
export function canDraw() {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("webgl2");
  if (!context) return false;
  const able = Boolean(context.getExtension("OES_texture_float_linear"));
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return able;
}

/** Open the engine, or share it. @returns {Promise<RenderingEngine>} */
export async function openEngine() {
  users += 1;
  ready ??= Promise.resolve(initCore({ rendering: { webGlContextCount: 1 } })).then(() => initTools());
  await ready;
  engine ??= new RenderingEngine(`medmm-${++opened}`);
  return engine;
}

/** Remember the canvas that a viewport is drawn on, to give its context back at the end. */
export function noteCanvas(viewportId) {
  const window = engine.getOffscreenMultiRenderWindow(viewportId);
  canvases.add(window.getOpenGLRenderWindow().getCanvas());
}

/** Give the engine back; the last one closes it and its context. */
export function closeEngine() {
  users -= 1;
  if (users > 0 || !engine) return;
  engine.destroy();
  engine = null;
  // Cornerstone leaves its contexts to the garbage collector, and a page may hold only some 16
  for (const canvas of canvases) {
    canvas.getContext("webgl2")?.getExtension("WEBGL_lose_context")?.loseContext();
  }
  canvases.clear();
}

/** Call when the graphics processor takes the context away. @returns {() => void} to stop listening */
export function onContextLost(call) {
  // a context that a closed engine gave away is reported late, and concerns nobody
  const lost = ({ detail }) => detail.renderingEngineId === engine?.id && call();
  eventTarget.addEventListener(Enums.Events.WEBGL_CONTEXT_LOST, lost);
  return () => eventTarget.removeEventListener(Enums.Events.WEBGL_CONTEXT_LOST, lost);
}
