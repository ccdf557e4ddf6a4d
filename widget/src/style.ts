/**
 * How `<consulate-connect>` looks: text in the page's own colour and font, accents that follow the page's `color-scheme`, everything
 * to be overridden by `--consulate-*` properties and `::part()`. `build.mjs` squeezes it.
 */
export const STYLE = `
:host {
  --a: var(--consulate-accent, light-dark(#0b6152, #56c7ae));
  display: inline-block;
}
[part=box] { display: flex; flex-wrap: wrap; align-items: center; gap: .5em .8em; }
[part=text] { display: grid; flex: 1 9em; overflow-wrap: anywhere; }
[part=account] { font-weight: 600; }
[part=error] { color: var(--consulate-danger, light-dark(#a4262c, #ff9a9a)); }
a, button {
  padding: .6em 1.2em; border: 1px solid var(--a); border-radius: var(--consulate-radius, 2em);
  background: none; color: inherit; font: inherit; text-decoration: none;
}
[part=link], [part=connect] { background: var(--a); color: var(--consulate-accent-text, light-dark(#fff, #06231c)); }
[hidden] { display: none; }
`;
