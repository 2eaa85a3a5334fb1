// Reads sentences aloud by voices that stand on this machine; any other may send the text away.

const NONE =
  'This browser has no English voice of its own machine, so nothing is read aloud: ' +
  'other voices may send the text elsewhere.'

function localVoices() {
  const engine = window.speechSynthesis
  const found = engine ? engine.getVoices() : []
  return found.filter((voice) => voice.localService === true && /^en\b/i.test(voice.lang))
}

function stop() {
  window.speechSynthesis?.cancel()
}

function speak(sentences, voice, said) {
  stop()
  sentences.forEach((sentence, index) => {
    const utterance = new SpeechSynthesisUtterance(sentence)
    utterance.voice = voice
    utterance.lang = voice.lang
    utterance.onstart = () => said(`${index + 1} of ${sentences.length}`)
    utterance.onend = () => index + 1 === sentences.length && said('')
    utterance.onerror = (event) => said(event.error === 'canceled' ? '' : `Stopped: ${event.error}`)
    window.speechSynthesis.speak(utterance)
  })
}

export default function (component) {
  const { parentElement, data } = component
  const sentences = JSON.parse(data.sentences)
  let root = parentElement.querySelector('.speech')
  if (!root) {
    root = document.createElement('div')
    root.className = 'speech'
    const listen = document.createElement('button')
    const quiet = document.createElement('button')
    const said = document.createElement('span')
    listen.type = quiet.type = 'button'
    listen.textContent = 'Read aloud'
    quiet.textContent = 'Stop'
    said.setAttribute('role', 'status')
    root.append(listen, quiet, said)
    parentElement.append(root)
  }
  const [listen, quiet] = root.querySelectorAll('button')
  const status = root.querySelector('span')
  const said = (text) => {
    status.textContent = text
  }
  // Of another case, or of other words, nothing is read on
  if (root.dataset.sentences !== data.sentences) {
    stop()
    root.dataset.sentences = data.sentences
    said('')
  }
  const offer = () => {
    const [voice] = localVoices()
    listen.disabled = quiet.disabled = !voice
    if (!voice) said(NONE)
    else if (status.textContent === NONE) said('')
  }
  listen.onclick = () => {
    const [voice] = localVoices()
    if (voice) speak(sentences, voice, said)
    else offer()
  }
  quiet.onclick = () => {
    stop()
    said('')
  }
  offer()
  // Chromium lists its voices some time after the page has come
  window.speechSynthesis?.addEventListener('voiceschanged', offer)
  return () => {
    stop()
    window.speechSynthesis?.removeEventListener('voiceschanged', offer)
  }
}
