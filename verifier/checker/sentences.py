"""What the checker says about an accepted claim: the sentences of FORMAT.md, word for word, and nothing else.

The statement of a claim is the sentence of its label, then perhaps more of them, joined by "; ". In braces stand
numbers. A lower bound in them is rounded down and an upper bound up, so that the sentence stays true.
"""

RAY = (
    "along the segment to kappa V1 (kappa = {kappa}), then along t V1 to 0, the hidden weights at rest: "
    "training error 0 from t = {zero_error_t} on"
)
FULL_RANK = (
    "rank Psi = N = {rank}: the feature matrix at the stored weights has full row rank, and its smallest singular "
    "value is at least {sigma_lower}"
)
CONSTRUCTION = (
    "rank Psi(U*) = N = {samples} by construction, sigma_N(Psi(U*)) >= {sigma_lower} (q <= {q}), whatever the "
    "parameters are that the claim does not name"
)
JACOBIAN, DIFFERENCES = "the Jacobian of the logits in U and V", "the Jacobian of the differences of logits in U and V"
NO_SUBOPTIMAL = (
    "stationary for no differentiable convex finite loss of the logits, except where the loss is least among all logits"
)
DOWN = (
    "a continuous path along which every convex finite loss of the logits, V free, is constant until Psi has full row "
    "rank and then, U at rest, never increases and comes within every epsilon of its infimum; for the cross-entropy "
    "with one label for each sample it then strictly decreases to 0"
)
EVERY = "for EVERY data set of N = {samples} distinct samples in R^{dimension}, or of fewer, and "
SENTENCES = {
    "R1": FULL_RANK,
    "R3": FULL_RANK,
    "R5": "rank Psi <= {rank_at_most} < N = {samples} at the stored weights, proved by structure; this refutes full "
    "rank, not the absence of bad valleys",
    "R5 every-u": "for EVERY U: rank Psi(U) <= {rank_at_most} < N = {samples}, proved by structure; this refutes full "
    "rank, not the absence of bad valleys",
    "R6": "rank Psi = {rank} < N = {samples}, exactly: at the stored weights all features are rational numbers; this "
    "refutes full rank at these weights, not the absence of bad valleys",
    "R6 full": "rank Psi = N = {samples}, exactly: at the stored weights all features are rational numbers",
    "Z0": "no output weights V classify all samples at the stored hidden weights: for every V, {margins} margins of "
    "{concerned} samples, with positive factors, add up to 0 (exact rational features), so some margin is at most 0",
    "Z0.loss": "for EVERY output weights V the cross-entropy at the stored hidden weights is at least {loss_lower}, "
    "so no V classifies all samples there",
    "Z0.error": "for EVERY output weights V the squared error at the stored hidden weights is at least {error_lower}",
    "Z1": "zero training error: every margin of V is at least {gamma}; for t > 0 the loss Phi(U, t V) is at most "
    "log(1 + {others} e^(-t {gamma})) and decreases strictly to 0, its infimum",
    "Z1 offset": "zero training error for t V, t large: every margin of Psi V is at least {gamma}, and the frozen "
    "logits lower no margin by more than {drop}; for t > 0 the loss Phi(U, t V) is at most "
    "log(1 + {others} e^({drop} - t {gamma})) and decreases strictly to 0, its infimum",
    "P1": "the loss decreases strictly from {lower} .. {upper} at V0 " + RAY,
    "E1": "U and V move straight to other values, and the loss strictly decreases ({pieces} pieces)",
    "E2": "the loss is constant while {moving} skip units move and {resting} stand still",
    "E3": "U moves straight to other values, the loss at most epsilon = {epsilon} above the start's",
    "E4.path": "{groups} groups of merged samples part at constant loss, V following continuously",
    "S.path": "the loss is constant while {moving} columns of Psi move and {resting} stand still, whose rank, {rank}, "
    "is that of all columns (exact rational features)",
    "after": "then the loss ({lower} .. {upper} at the start) decreases strictly " + RAY,
    "target": "the loss is at most {loss} from t = {t} on",
    "E4": "for the labels of these data, one for each sample: from EVERY (U, V) a continuous path on which the "
    "cross-entropy never increases leads to loss 0 in the limit",
    "Z2": "zero training error for all hidden weights, biases and output weights within {radius} of the stored ones, "
    "each number: the margins, at least {gamma}, change by at most {change}",
    "B1": "rank Psi(U') = N = {samples} for every U' within {radius} of the stored hidden weights and biases, each "
    "number",
    "C1": "(U, V) is not a stationary point of the cross-entropy, hence no local extremum: "
    "||grad_V Phi||_F >= {gradient_lower}",
    "C3": "(U, V) is no local maximum of the cross-entropy: along the weight from column {unit} of Psi to output "
    "{output} its second derivative is at least {curvature_lower}",
    "GDV": "gradient descent on the output weights, V_(t+1) = V_t - (1/L) grad_V Phi(V_t) with L = {smoothness}, in "
    "exact arithmetic from the stored V_0, the hidden weights at rest: the cross-entropy never increases, is at most "
    "{loss} + {distance} / t at every step t >= 1, and every sample is classified correctly from step {steps} on; the "
    "same where entries of V in which the stored Z agrees with V_0 are held fixed",
    "TC.3": "the loss Phi ({loss}) {way} from {lower} .. {upper} at V0 along the segment to V1, where it is at most "
    "{end_loss}; its infimum over V is in [{infimum_lower}, {infimum_upper}]",
    "TC.3 ray": "beyond V1 it never increases along t V1 and tends to 0",
    "W1": CONSTRUCTION,
    "W2": CONSTRUCTION,
    "W radius": "the same at every U within {radius} of U* in each parameter",
    "W0": "rank Psi(U) = N = {samples} for almost every U (the others are a closed set of measure zero); for these "
    "data and this architecture every local valley of every convex finite loss of Psi V, V free, reaches the infimum "
    "(L3.2, T3.4(2)); T3.4(4) does not follow from this",
    "W0 arcs": "for almost every U (the others are a closed set of measure zero) the columns of Psi(U) with an arc to "
    "any one output have rank N = {samples}; for these data and this architecture every local valley of every convex "
    "finite loss of Psi V, V free along the arcs, reaches the infimum (L3.2, T3.4(2)); T3.4(4) does not follow from "
    "this",
    "D": "for almost every data set of N = {samples} samples in R^{dimension}, or of fewer (the others are a closed "
    "null set), its samples are distinct, and for ALL labels and ALL convex finite losses of Psi V, V free: rank "
    "Psi(U) = N for almost every U, and every local valley reaches the infimum; moreover U* itself has full rank for "
    "almost every data set. This says NOTHING about a given data set, nor about integer or 8-bit data (a null set)",
    "C4": "for EVERY data set (equal samples may have different labels): no (U, V) at which Phi is defined is a local "
    "maximum of the squared error or, for two outputs or more, of the cross-entropy or any other finite loss of the "
    "logits Psi V that is convex, and strictly so along every direction with a row that is not constant",
    "C2+": "for EVERY data set of N = {samples} samples, or of fewer, all labels and every convex finite loss phi of "
    "the logits Psi V, V free: no (U, V) whose loss is above the infimum is a strict local minimum; if phi does not "
    "change when all logits of a sample change alike, not even one with a column of V held at 0",
    "A": "for EVERY data set of N = {samples} distinct samples in R^{dimension}, or of fewer, ALL labels and ALL "
    "convex finite losses of Psi V, V free: rank Psi(U) = N for almost every U (the others are a closed set of measure "
    "zero), and every local valley reaches the infimum; T3.4(4) does not follow from this",
    "WD": "of ANOTHER loss than the other claims, the cross-entropy + (lambda/2) (|U|^2 + |V|^2), for every "
    "lambda > 0 up to {weight_decay}: U = 0, V = 0 is a strict local minimum of value log {classes}, in a "
    "bad local valley, as the loss is at most {value} at another point; with more units in a layer, too",
    "WD logit": "the same with the column of V of class 0 held at 0 (one logit)",
    "J1": f"at the stored U and V {JACOBIAN} has full row rank N m = {{rank}}: (U, V) is {NO_SUBOPTIMAL}",
    "J1 reduced": f"at the stored U and V {DIFFERENCES} has full row rank N (m - 1) = {{rank}}: (U, V) is no "
    "stationary point of the cross-entropy of these labels",
    "J1 everywhere": f"for almost every (U, V) (the others are a closed set of measure zero) {JACOBIAN} has full row "
    f"rank N m = {{rank}}, and then (U, V) is {NO_SUBOPTIMAL}",
    "J1 everywhere reduced": "for almost every (U, V) (the others are a closed set of measure zero) "
    f"{DIFFERENCES} has full row rank N (m - 1) = {{rank}}, and then (U, V) is no stationary point of the "
    "cross-entropy of these labels",
    "J2": "some (U, V) within {distance} of the stored U and the start's V, each number, has exactly the targets as "
    "its logits on all N = {samples} samples; near it the solutions are a manifold of dimension P - N m = {dimension}",
    "J3": "for EVERY target T in R^(N x m), N = {samples}, m = {outputs}, some (U, V) has exactly T as its logits on "
    "these samples",
    "J3 almost every": "for almost every data set of N = {samples} samples in R^{dimension}, or of fewer (the others "
    "are a closed null set), and EVERY target T in R^(N x m), m = {outputs}, some (U, V) has exactly T as its logits; "
    "the same on the samples of this certificate. This says NOTHING about another given data set, nor about integer "
    "or 8-bit data (a null set)",
    "BM": "theta = (U, V), P = {parameters}, the last column of V held at 0: on the ball around the stored "
    "theta0, of a radius from {narrow} to {wide}, the cross-entropy Phi is twice continuously differentiable and every "
    "eigenvalue of its Hessian is at least {curvature}; the ball contains exactly one local minimum, a strict one, "
    "with a value from {lower} to {upper}; the local valley around theta0, the connected part of all points with Phi < "
    "Phi(theta0) + {rise} that contains it, lies in the ball; with all of V free the same holds up to the shifts V + v "
    "1^T, which change no loss",
    "BM bad": "the loss is at most {better} at another point, below all values on the ball: the local valley is bad",
    "S": "from the stored hidden weights and every V there is " + DOWN,
    "S(1)": EVERY + "from EVERY (U, V) there is " + DOWN + "; every local valley reaches the infimum",
    "S(2)": EVERY + "from almost every (U, V), whatever V is, there is " + DOWN + "; every local valley reaches the "
    "infimum",
    "S+": EVERY + "every convex finite loss of the logits, V free: any two points (U, V) are joined by a continuous "
    "path on which the loss never exceeds the larger of its values at them, so that all sublevel sets are connected",
    "A.data": "for these N = {samples} samples, ALL labels and ALL convex finite losses of Psi V, V free, by the "
    "architecture and exact comparison of the samples: rank Psi(U) = N for almost every U (the others are a closed set "
    "of measure zero), and every local valley reaches the infimum; T3.4(4) does not follow from this",
    "I": "what {claims} say of these samples x holds for the samples D x + c, D any invertible matrix and c "
    "any vector: a linear bijection of the weights carries the loss on these to that on x. So raw pixels settle "
    "k/255 and (x - mean)/std, in exact real numbers, not their floating-point roundings",
    "I factors": "what {claims} say of these samples x holds for the samples D x, D any invertible "
    "matrix: a linear bijection of the weights carries the loss on these to that on x. So raw pixels settle k/255, "
    "in exact real numbers, not their floating-point roundings",
    "I groups": "what {claims} say of these samples x holds for the samples D x + c, with one factor, not 0, and "
    "one shift for each group of coordinates that are read alike, such as channels ({groups}): a linear bijection "
    "of the weights carries the loss on these to that on x. So raw pixels settle k/255 and (x - mean)/std by "
    "channels, in exact real numbers, not their floating-point roundings",
    "I groups factors": "what {claims} say of these samples x holds for the samples D x, with one factor, not "
    "0, for each group of coordinates that are read alike, such as channels ({groups}): a linear bijection of the "
    "weights carries the loss on these to that on x. So raw pixels settle k/255, in exact real numbers, not their "
    "floating-point roundings",
    "MC": "the stored (U_A, V_A) and (U_B, V_B) are joined by a continuous path on which the cross-entropy never "
    "exceeds the larger of their two losses, {start_lower} .. {start_upper} and {end_lower} .. {end_upper}: the "
    "barrier is 0. It is about this (U_B, V_B), not about the same network with its units in another order",
    "MC moves": "U at rest, V goes straight from V_A to kappa V_1 (kappa = {kappa}), and the loss strictly decreases "
    "to at most {level}; it stays at most that, and with a larger kappa as small as one likes, while U goes straight "
    "from corner to corner (legs: {legs}; pieces: K = {pieces}; V = kappa V_k on piece k, where every margin of "
    "Psi(U) V_k is at least {gamma}, and straight to kappa V_(k+1) between two of them); then, U at rest, V goes "
    "straight from kappa V_K to V_B, and the loss strictly increases to that of (U_B, V_B)",
    "MC rests": "both have the same U, and V goes straight from V_A to V_B: the loss is convex on this segment",
    "MC logit": "the same with the column of V of class 0 held at 0 (one logit)",
    "MC.line": "on the straight line of all weights from the stored (U_A, V_A) to (U_B, V_B), whose losses are "
    "{start_lower} .. {start_upper} and {end_lower} .. {end_upper}, the largest cross-entropy is in [{loss_lower}, "
    "{loss_upper}], and the barrier, what it is above the larger of the two, in [{barrier_lower}, {barrier_upper}]",
}


def sentence(name: str, **numbers: object) -> str:
    """Return a sentence with its numbers."""
    return SENTENCES[name].format(**numbers)


def statement(*sentences: str) -> str:
    """Return the statement that some sentences make together."""
    return "; ".join(sentences)
