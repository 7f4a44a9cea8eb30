package certificate

import (
	"encoding/json"
	"math/big"

	"github.com/polymath-run/polymath/internal/number"
)

// wrapper is what a certificate was found in, and what that says by itself:
//
//	{"function", "input": {"from", "to"}, "result": {"count", "certificate"}}    what a run prints
//	                                                {"count", "certificate"}     an answer
//	                                                          certificate        neither
type wrapper struct {
	certificate []byte
	claims      []claim
}

// claim is a number that somebody reads beside the certificate.
type claim struct {
	name  string
	value *number.Integer // nil: nothing is claimed
}

// unwrap finds the certificate in an answer, or in a result of a run, that has
// one; other data it takes for a certificate.
func unwrap(data []byte) wrapper {
	var run struct {
		Input struct {
			From *number.Integer `json:"from"`
			To   *number.Integer `json:"to"`
		} `json:"input"`
		Result json.RawMessage `json:"result"`
	}
	var w wrapper
	if json.Unmarshal(data, &run) == nil && run.Result != nil {
		w.claims = []claim{{"from", run.Input.From}, {"to", run.Input.To}}
		data = run.Result
	}
	var answer struct {
		Count       *number.Integer `json:"count"`
		Certificate json.RawMessage `json:"certificate"`
	}
	if json.Unmarshal(data, &answer) == nil && answer.Certificate != nil {
		w.claims = append(w.claims, claim{"count", answer.Count})
		data = answer.Certificate
	}
	w.certificate = data
	return w
}

// agrees checks that what stands around the certificate is what it certifies.
func (w wrapper) agrees(c *Certificate) error {
	certified := map[string]*big.Int{"from": c.From.Big(), "to": c.To.Big(), "count": c.Count.Big()}
	for _, claim := range w.claims {
		if claim.value != nil && claim.value.Big().Cmp(certified[claim.name]) != 0 {
			return bad("it is of another answer: around it %q is %s, in it %d", claim.name, claim.value.Clip(), certified[claim.name])
		}
	}
	return nil
}
