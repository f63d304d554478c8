/* The calculators' forms.  All arithmetic, wording and drawing is done by the package's Python:
   this file loads it when somebody asks, hands over what was typed and shows what comes back. */
(() => {
  const runtime = document.currentScript.dataset.runtime;
  const files = ["brython.js", "stdlib.js", "sources.js"];
  const data = JSON.parse(document.getElementById("calc-data").textContent);
  const button = document.getElementById("calc-start");
  const status = document.getElementById("calc-status");
  const forms = [...document.querySelectorAll("form.calc-form")];

  const load = (name) => new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = runtime + name;
    script.onload = done;
    script.onerror = () => fail(new Error(`${name} could not be loaded`));
    document.head.append(script);
  });
  const painted = () => new Promise((done) => setTimeout(done, 50));

  function compute(form) {
    const fields = [...form.querySelectorAll("input")];
    const given = Object.fromEntries(fields.map((field) => [field.name, field.value]));
    const company = data[form.querySelector("select").value];
    const found = JSON.parse(
      window.synthecon_calculate(form.dataset.calculator, JSON.stringify(given), company.currency)
    );
    const error = form.querySelector(".calc-error");
    error.textContent = found.error || "";
    const wrong = found.error ? found.error.match(/^\w+/)[0] : "";
    for (const field of fields) {
      if (field.name === wrong) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
    form.querySelector(".calc-says").textContent = found.says || "";
    for (const cell of form.querySelectorAll("[data-output]")) {
      cell.textContent = found.texts ? found.texts[cell.dataset.output] : "–";
    }
    form.querySelector(".calc-chart").innerHTML = found.chart || "";
  }

  function fill(form) {
    const company = data[form.querySelector("select").value];
    const values = company.values[form.dataset.calculator];
    for (const field of form.querySelectorAll("input")) field.value = values[field.name];
    for (const unit of form.querySelectorAll("[data-unit]")) {
      unit.textContent = unit.dataset.unit.replaceAll("¤", company.currency);
    }
    compute(form);
  }

  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    status.textContent = "Python is loading; this takes a few seconds.";
    try {
      for (const name of files) await load(name);
      await painted();
      __BRYTHON__.brython({ debug: 0 });
      __BRYTHON__.runPythonSource("import calculators_bridge", "calculators_page");
      if (!window.synthecon_calculate) throw new Error("Python did not start");
    } catch (error) {
      status.textContent = `It did not start: ${error.message || error}. The tables still hold.`;
      button.disabled = false;
      return;
    }
    for (const form of forms) {
      fill(form);
      form.addEventListener("submit", (event) => event.preventDefault());
      form.addEventListener("input", (event) => {
        if (event.target.matches("input")) compute(form);
      });
      form.querySelector("select").addEventListener("change", () => fill(form));
      form.hidden = false;
      const section = form.parentElement;
      section.querySelector(".calc-still").hidden = true; // the form says it now
      section.querySelector("details").open = false;
    }
    button.hidden = true;
    status.textContent = "Python runs in this page: change a number, and the answer follows.";
    document.documentElement.dataset.calculators = "ready";
  });
})();
