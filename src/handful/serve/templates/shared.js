const find = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element) element[name] = value; else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function percent(share) {
  const value = 100 * share;
  return (value > 99.9 && share < 1 ? "> 99.9" : value < 0.1 && share > 0 ? "< 0.1" : value.toFixed(1)) + "\u00a0%";
}

const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

function say(text) { find("live").textContent = text; }

const PATIENCE = 20, storage = window.sessionStorage;
async function ask(path, options = {}) {
  const token = storage.getItem("token"), headers = token ? { Authorization: `Bearer ${token}` } : {};
  for (let attempt = 0; ; attempt++) {
    let response;
    try {
      response = await fetch(path, { ...options, headers: { ...headers, ...options.headers } });
    } catch {
      throw new Error("The server does not answer. Is it still running?");
    }
    if (response.status === 503 && attempt < PATIENCE) {
      await new Promise((done) => setTimeout(done, 1000 * (Number(response.headers.get("Retry-After")) || 1)));
      continue;
    }
    const body = await response.json();
    if (response.status === 401) locked();
    if (!response.ok) throw Object.assign(new Error(body.error), { status: response.status });
    return body;
  }
}

const post = (path, picture) => ask(path, {
  method: "POST", body: picture, headers: { "Content-Type": picture.type.startsWith("image/") ? picture.type : "application/octet-stream" },
});

const viewfinder = find("viewfinder"), video = find("video");
let shot = () => {};
function stopCamera() {
  for (const track of video.srcObject ? video.srcObject.getTracks() : []) track.stop();
  video.srcObject = null;
}
async function openCamera(taken, otherwise) {
  if (!navigator.mediaDevices) { otherwise(); return; }
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    otherwise();
    return;
  }
  shot = taken;
  viewfinder.showModal();
  find("shoot").focus();
}
find("shoot").addEventListener("click", () => {
  const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => { if (blob) shot([new File([blob], "camera.jpg", { type: "image/jpeg" })]); }, "image/jpeg", 0.95);
  if (!viewfinder.classList.contains("several")) viewfinder.close();
});
find("close").addEventListener("click", () => viewfinder.close());
viewfinder.addEventListener("close", stopCamera);
