// A canvas to draw on: white on black.
(() => {
  const canvas = document.getElementById('drawing');
  const context = canvas.getContext('2d');
  context.fillStyle = '#000';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.strokeStyle = '#fff';
  context.lineWidth = canvas.width / 8;
  context.lineCap = context.lineJoin = 'round';
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * canvas.width) / box.width,
      ((event.clientY - box.top) * canvas.height) / box.height,
    ];
  };
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    context.beginPath();
    context.moveTo(...at(event));
  };
  canvas.onpointermove = (event) => {
    if (event.buttons) {
      context.lineTo(...at(event));
      context.stroke();
    }
  };
})();
