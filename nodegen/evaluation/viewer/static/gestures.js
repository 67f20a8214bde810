/**
 * Mouse, pen, touch and wheel on a pane, by what they mean.
 *
 * Left button or one finger: the tool in hand. Middle button, or shift: move. Right button: zoom.
 * Two fingers: zoom and move. Wheel, or pinched on a trackpad: zoom; with shift: scroll.
 */

const WHEEL_STEP = 50; // of deltaY that make one step, so that a trackpad does not fly
const TAP_PX = 5; // a press that moves less is a tap

export function listen(canvas, on) {
  const fingers = new Map();
  let start = null;
  let pinch = null;
  let rolled = 0;

  const middle = ({ clientX, clientY }) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [clientX - left - width / 2, clientY - top - height / 2];
  };
  const two = () => {
    const [a, b] = [...fingers.values()];
    const clientX = (a.clientX + b.clientX) / 2;
    const clientY = (a.clientY + b.clientY) / 2;
    return { clientX, clientY, far: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) };
  };

  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      pinch = two();
      on.cancel?.();
      start = null;
      return;
    }
    const button = event.shiftKey ? 1 : event.button;
    start = { event, last: event, button, moved: false };
    if (button === 1) event.preventDefault();
    if (button === 0) on.down?.(event);
  });

  canvas.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) {
      on.hover?.(event);
      return;
    }
    fingers.set(event.pointerId, event);
    if (fingers.size === 2 && pinch) {
      const now = two();
      on.pan?.(now.clientX - pinch.clientX, now.clientY - pinch.clientY);
      if (pinch.far > 0) on.zoom?.(now.far / pinch.far, ...middle(now));
      pinch = now;
      return;
    }
    if (!start) return;
    const dx = event.clientX - start.last.clientX;
    const dy = event.clientY - start.last.clientY;
    const { clientX, clientY } = start.event;
    start.moved ||= Math.hypot(event.clientX - clientX, event.clientY - clientY) > TAP_PX;
    start.last = event;
    if (start.button === 1) on.pan?.(dx, dy);
    else if (start.button === 2) on.zoom?.(Math.exp(-dy / 150), ...middle(start.event));
    else on.drag?.(dx, dy, event);
    on.hover?.(event);
  });

  const end = (event) => {
    fingers.delete(event.pointerId);
    if (fingers.size < 2) pinch = null;
    if (start && event.type === "pointerup" && start.button === 0) {
      if (start.moved) on.up?.(event);
      else on.tap?.(event);
    }
    start = null;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", (event) => fingers.size || on.leave?.(event));

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      if (!event.shiftKey) {
        on.zoom?.(Math.exp(-event.deltaY / 300), ...middle(event));
        return;
      }
      rolled += event.deltaY || event.deltaX; // shift turns the wheel sideways
      const steps = Math.trunc(rolled / WHEEL_STEP);
      if (!steps) return;
      rolled = 0;
      on.scroll?.(Math.sign(steps));
    },
    { passive: false },
  );
}
