package rpc_test

import (
	"strings"
	"testing"

	"github.com/polymath-run/polymath/api/polymathv1"
)

// TestGarbageSaysWhy: what no answer can be made of fails the part when it is
// reported, of a function the server has as of one that was declared, and the
// error of the job says what came. (W9)
func TestGarbageSaysWhy(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	r.demand(r.join(greet()), 1, "greet", "add", "isprime")
	for _, c := range []struct{ function, input, output, want string }{
		{"greet", `{}`, "garbage", `greet returned what no answer can be made of: "garbage" is no JSON`},
		{"add", `{"a":1,"b":2}`, "garbage\n", "add returned what no answer can be made of"},
		{"isprime", `{"numbers":[2,3]}`, "7 y\n", `"7 y" is no line with the answer of element`},
		{"isprime", `{"n":2}`, "0 perhaps\n", `"perhaps" is no answer`},
	} {
		submit := r.next()
		r.send(&polymathv1.Calls{Submissions: []*polymathv1.Submission{{Call: submit, Request: &polymathv1.Request{
			Function: c.function, Input: []byte(c.input), Attempts: 1, Queue: "q",
		}}}})
		id := r.refused("submit", submit, 0).GetJob()
		wait := r.next()
		r.send(&polymathv1.Calls{Waits: []*polymathv1.JobCall{{Call: wait, Job: id}}})
		for len(r.replies[wait]) == 0 {
			for _, g := range r.grants {
				r.report(g.GetToken(), polymathv1.Report_COMPLETE, c.output)
			}
			r.grants = nil
			r.hear()
		}
		if job := r.reply(wait).GetPicture(); job.GetState() != "failed" || !strings.Contains(job.GetError().GetMessage(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.function, c.output, job, c.want)
		}
	}
}
