// The search's weights are Sphinx's, with three exceptions. Labels and words of the list of statements come first; a word
// is named in its answer. A title that has all that was asked for comes before pages that have the words somewhere. And
// guides and mathematics come before notebooks and reference pages that have the same words.
var Scorer = {
  score: (answer) => {
    const [page, title, anchor, description, score, file, kind] = answer;
    if (anchor.startsWith("#term-")) answer[1] = `${title} > ${anchor.slice("#term-".length).replaceAll("-", " ")}`;
    if (kind === "text") return /^(notebooks|reference|developing)\//.test(page) ? score - 1 : score;
    if (page === "reference/statements") return score + 100;
    return kind === "title" ? score + 20 : score;
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
