/** How the form of typed credentials looks: as the element around it. `build.mjs` squeezes it. */
export const FORM_STYLE = `
:host { --a: var(--consulate-accent, light-dark(#0b6152, #56c7ae)); display: block; margin-top: .6em; }
form { display: grid; gap: .35em; max-width: 24em; }
label { font-weight: 600; margin-top: .3em; }
input { padding: .55em .7em; border: 1px solid currentcolor; border-radius: .5em; background: none; color: inherit; font: inherit; }
input[aria-invalid=true], [role=alert] { color: var(--consulate-danger, light-dark(#a4262c, #ff9a9a)); }
p { margin: 0; }
p:empty { display: none; }
div { display: flex; flex-wrap: wrap; gap: .6em; margin-top: .5em; }
button {
  padding: .6em 1.2em; border: 1px solid var(--a); border-radius: var(--consulate-radius, 2em);
  background: none; color: inherit; font: inherit; cursor: pointer;
}
.main { background: var(--a); color: var(--consulate-accent-text, light-dark(#fff, #06231c)); }
[aria-disabled=true] { opacity: .6; cursor: default; }
[hidden] { display: none; }
`;
