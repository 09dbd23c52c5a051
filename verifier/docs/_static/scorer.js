// The search's weights are Sphinx's, but labels and words of the list of statements come first, and what a notebook or a
// module mentions comes after the same words in a guide. An entry of the index is called by its word.
var Scorer = {
  score: (result) => {
    const [page, title, anchor, description, score, file, kind] = result;
    if (kind === "index" && anchor.startsWith("#term-"))
      result[1] = `${title} > ${anchor.slice("#term-".length).replaceAll("-", " ")}`;
    if (page === "reference/statements" && kind !== "text") return score + 100;
    return /^(notebooks|reference\/api)\//.test(page) && kind === "text" ? score - 1 : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
