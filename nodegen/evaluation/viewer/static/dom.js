/** Small helpers for building elements. */

export const $ = (id) => document.getElementById(id);

/** make("button", { class: "x", onclick }, "words", child): an element with its contents. */
export function make(tag, attributes = {}, ...contents) {
  const [namespace, name] = tag.startsWith("svg:")
    ? ["http://www.w3.org/2000/svg", tag.slice(4)]
    : ["http://www.w3.org/1999/xhtml", tag];
  const element = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element[key] = value;
    else if (value !== false && value !== null) element.setAttribute(key, value);
  }
  element.append(...contents.flat().filter((content) => content !== null));
  return element;
}

/** Call `work` at most once a frame. */
export function oncePerFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}

/** Is a key meant for what is focused: words being typed, a list being chosen from, a slider? */
export function isTyping(event) {
  const { tagName, type } = event.target;
  if (tagName === "TEXTAREA" || tagName === "SELECT") return true;
  if (tagName !== "INPUT") return false;
  if (type === "range") return /^(Arrow|Home|End|Page)/.test(event.key);
  return type !== "checkbox" && type !== "radio" && type !== "button";
}
