package rpc_test

import (
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
)

// TestFirstReportCounts: of two reports of one lease the first counts, whether
// they come in one message or in two: commands that are under way together may
// be taken in any order.
func TestFirstReportCounts(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	r.demand(r.join(greet()), 1, "greet")
	for n := range 20 {
		id := r.submit("greet", `{}`)
		token := r.grant().GetToken()
		first := &polymathv1.Report{Call: r.next(), Token: token, Output: []byte(`"first"`)}
		second := &polymathv1.Report{Call: r.next(), Token: token, Output: []byte(`"second"`)}
		if n%2 == 0 {
			r.send(&polymathv1.Calls{Reports: []*polymathv1.Report{first, second}})
		} else {
			r.send(&polymathv1.Calls{Reports: []*polymathv1.Report{first}})
			r.send(&polymathv1.Calls{Reports: []*polymathv1.Report{second}})
		}
		r.refused("the first report", first.GetCall(), 0)
		r.refused("the second report", second.GetCall(), polymath.StaleToken)
		if job := r.get(id); string(job.GetAnswer()) != `"first"` {
			t.Fatalf("job %d: %v", n, job)
		}
	}
}

// TestReportAfterOneThatCannotBe: a report that is refused as it stands takes
// nothing from the next one of the same lease.
func TestReportAfterOneThatCannotBe(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	r.demand(r.join(greet()), 1, "greet")
	id := r.submit("greet", `{}`)
	token := r.grant().GetToken()
	bad := &polymathv1.Report{Call: r.next(), Token: token, Kind: 7}
	good := &polymathv1.Report{Call: r.next(), Token: token, Output: []byte(`"good"`)}
	r.send(&polymathv1.Calls{Reports: []*polymathv1.Report{bad, good}})
	r.refused("of a kind there is not", bad.GetCall(), polymath.InvalidArgument)
	r.refused("the next", good.GetCall(), 0)
	if job := r.get(id); string(job.GetAnswer()) != `"good"` {
		t.Errorf("%v", job)
	}
}
