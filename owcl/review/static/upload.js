// Images can be dropped as well as chosen.

const place = document.getElementById("drop");
const field = place.querySelector("input[type=file]");

for (const kind of ["dragover", "dragleave", "drop"]) {
  place.addEventListener(kind, (event) => {
    event.preventDefault();
    place.classList.toggle("over", kind === "dragover");
  });
}
place.addEventListener("drop", (event) => {
  field.files = event.dataTransfer.files;
  if (field.files.length) place.requestSubmit();
});
