package balance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/guard"
)

// TestRetryOnlyWhatIsSafe: what was not sent may always be sent again; what may
// have had an effect only where twice is as good as once.
func TestRetryOnlyWhatIsSafe(t *testing.T) {
	for _, c := range []struct {
		name      string
		kind      forward.Kind
		status    int
		once, any bool // is it tried again: what may be told once only, and what is idempotent
	}{
		{"not sent", forward.Unreached, 0, true, true},
		{"broken", forward.Broken, 0, false, true},
		{"late", forward.Late, 0, false, true},
		{"unusable", forward.Unusable, 0, false, true},
		{"cut", forward.Cut, 0, false, true},
		{"503", forward.Answered, 503, false, true},
		{"500 is an answer", forward.Answered, 500, false, false},
		{"200", forward.Answered, 200, false, false},
		{"client gone", forward.Abandoned, 0, false, false},
	} {
		for _, again := range []bool{false, true} {
			r := newRig(t, quiet("round-robin"), upstreams(2))
			x := exchange()
			x.Again = again
			r.begin(x)
			result := forward.Result{Kind: c.kind, Status: c.status, Now: r.clock}
			u := r.Pick(x)
			if c.kind != forward.Answered {
				r.Done(x, u, result)
			} else if got := slices.Contains(x.Doubted, c.status); got != (again && c.any) {
				t.Errorf("%s, idempotent %v: asked about before it is passed on: %v", c.name, again, got)
			}
			want := c.once
			if again {
				want = c.any
			}
			if got := r.Retry(x, result); got != want {
				t.Errorf("%s, idempotent %v: tried again %v, want %v", c.name, again, got, want)
			}
		}
	}
}

// TestRetriesEnd: by number, by deadline, and where nobody else is left, except
// for a broken connection, which says nothing about the upstream.
func TestRetriesEnd(t *testing.T) {
	attempts := func(r *rig, x *forward.Exchange, kind forward.Kind, latency time.Duration) int {
		n := 0
		r.run(x, func(*forward.Upstream) forward.Result {
			n++
			return forward.Result{Kind: kind, Latency: latency}
		})
		return n
	}
	s := quiet("round-robin")
	s.Breaker.Failures = 0
	s.Health.ServerErrors = 0
	s.Timeout = time.Second
	for _, c := range []struct {
		name      string
		upstreams int
		kind      forward.Kind
		latency   time.Duration
		want      int
	}{
		{"number", 4, forward.Unreached, 0, 3},
		{"deadline", 4, forward.Late, 400 * time.Millisecond, 3},
		{"deadline passed", 4, forward.Late, 600 * time.Millisecond, 2},
		{"two left", 2, forward.Unreached, 0, 2},
		{"nobody left", 1, forward.Unreached, 0, 1},
		{"the same again", 1, forward.Broken, 0, 3},
	} {
		if got := attempts(newRig(t, s, upstreams(c.upstreams)), exchange(), c.kind, c.latency); got != c.want {
			t.Errorf("%s: %d attempts, want %d", c.name, got, c.want)
		}
	}
}

// TestRetryAsksWhoIsLeft: no budget is spent, and no answer of an upstream thrown
// away, for a retry that nobody would take.
func TestRetryAsksWhoIsLeft(t *testing.T) {
	r := newRig(t, quiet("round-robin"), upstreams(1))
	x := exchange()
	r.begin(x)
	result := forward.Result{Status: 503, Now: r.clock}
	u := r.Pick(x)
	if r.Retry(x, result) {
		t.Error("a retry is granted where nobody is left")
	}
	r.Done(x, u, result)
	if got := r.Stats(); got.Nobody != 0 || got.Retries != 0 || got.RetriesRefused != 0 {
		t.Errorf("an answer that is passed on counts as %+v", got.Totals)
	}
}

// TestWhoLeavesMeanwhile: between the question and the pick the last one who
// could be asked may leave. The answer that is there is passed on, and the
// exchange counts as answered.
func TestWhoLeavesMeanwhile(t *testing.T) {
	s := quiet("round-robin")
	r := newRig(t, s, upstreams(2))
	x := exchange()
	r.begin(x)
	u := r.Pick(x)
	result := forward.Result{Status: 503, Now: r.clock}
	if !r.Retry(x, result) {
		t.Fatal("no retry is granted with another left")
	}
	list := upstreams(2)
	if list = list[:1]; list[0].Server.Name != u.Name {
		list = upstreams(2)[1:]
	}
	if err := r.Set(s, list); err != nil {
		t.Fatal(err)
	}
	if other := r.Pick(x); other != nil || x.Refusal != nil {
		t.Errorf("picked %v, refused with %+v, with nobody left and an answer there", other, x.Refusal)
	}
	r.Done(x, u, result)
	x.Status = 503
	r.End(x)
	if got := r.Stats(); got.Nobody != 0 || got.Retries != 0 || got.InFlight != 0 {
		t.Errorf("counted %+v", got.Totals)
	}
}

// TestDoubtsFollowTheSettings: nobody is asked about answers that could not be
// had again anyway.
func TestDoubtsFollowTheSettings(t *testing.T) {
	s := quiet("round-robin")
	s.Retry.Statuses = []int{500, 599}
	s.TimeoutField = "X-Request-Timeout"
	r := newRig(t, s, upstreams(2))
	x := exchange()
	if r.begin(x); !slices.Equal(x.Doubted, s.Retry.Statuses) || x.TimeoutField != s.TimeoutField {
		t.Errorf("%v is doubted, and %q tells the time that is left", x.Doubted, x.TimeoutField)
	}
	r.End(x)
	x.Again = false
	if r.begin(x); x.Doubted != nil {
		t.Errorf("%v is doubted where the request is told once", x.Doubted)
	}
	r.End(x)
	s.Retry.Most, s.TimeoutField = 0, ""
	if err := r.Set(s, upstreams(2)); err != nil {
		t.Fatal(err)
	}
	x.Again = true
	if r.begin(x); x.Doubted != nil || x.TimeoutField != "" {
		t.Errorf("without retries %v is doubted; the field is %q", x.Doubted, x.TimeoutField)
	}
}

func TestDeadlines(t *testing.T) {
	s := quiet("round-robin")
	s.TimeoutField = "Request-Timeout"
	for _, c := range []struct {
		asked      string
		most, want time.Duration
	}{
		{"", 0, 0}, {"", time.Second, time.Second}, {"0.5", time.Second, 500 * time.Millisecond},
		{"2", time.Second, time.Second}, {"2", 0, 2 * time.Second}, {"250m", 0, 250 * time.Millisecond},
		{"soon", time.Second, time.Second}, {"-1", 0, 0},
	} {
		s.Timeout = c.most
		r := newRig(t, s, upstreams(1))
		x := exchange()
		x.Facts = &facts{header: c.asked}
		r.begin(x)
		if c.want > 0 {
			c.want += r.clock
		}
		if x.Deadline != c.want {
			t.Errorf("asked %q, at most %v: the deadline is %v, want %v", c.asked, c.most, x.Deadline, c.want)
		}
	}
}

// TestNobodyIsLeft: the answer says when to come back (D6).
func TestNobodyIsLeft(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() *rig
		want string
	}{
		{"no upstreams", func() *rig { return newRig(t, quiet("peak-ewma"), nil) }, "Retry-After: 30\r\n"},
		{"all draining", func() *rig {
			list := upstreams(2)
			list[0].Drain, list[1].Weight = true, 0
			return newRig(t, quiet("ring"), list)
		}, "Retry-After: 30\r\n"},
		{"all broken", func() *rig {
			s := quiet("round-robin")
			s.Breaker.Open = 7 * time.Second
			r := newRig(t, s, upstreams(1))
			for range guard.DefaultFailures {
				r.run(exchange(), dead)
			}
			return r
		}, "Retry-After: 7\r\n"},
		{"all full", func() *rig {
			s := quiet("round-robin")
			s.PerUpstream = 1
			r := newRig(t, s, upstreams(1))
			x := exchange()
			r.begin(x)
			r.Pick(x)
			return r
		}, "Retry-After: 1\r\n"},
	} {
		r, x := c.make(), exchange()
		r.begin(x)
		if u := r.Pick(x); u != nil {
			t.Errorf("%s: %s was picked", c.name, u.Name)
			continue
		}
		if x.Refusal == nil || x.Refusal.Status != 503 || x.Refusal.Header != c.want {
			t.Errorf("%s: refused with %+v, want 503 and %q", c.name, x.Refusal, c.want)
		}
		r.End(x)
	}
}

// TestLastResort: with all breakers open nobody is spared by waiting a minute:
// after a second one request at a time is let through, and what answers is back.
func TestLastResort(t *testing.T) {
	s := quiet("round-robin")
	s.Health.ServerErrors, s.Health.Errors = 0, 0 // nobody is ejected besides
	r := newRig(t, s, upstreams(2))
	for range 2 * guard.DefaultFailures {
		r.run(exchange(), dead)
	}
	for i := range 2 {
		if got := r.of(upstream(i).Server.Name); got.Breaker != "open" {
			t.Fatalf("the breaker of %s is %s", got.Name, got.Breaker)
		}
	}
	r.clock += guard.HurryAfter / 2
	if got := r.run(exchange(), ok); got != nil {
		t.Error("an open breaker let a request through at once")
	}
	r.clock += guard.HurryAfter
	for range 4 {
		if got := r.run(exchange(), ok); got == nil || got.Status != 200 {
			t.Errorf("a second later the answer is %+v", got)
		}
	}
	for i := range 2 {
		if got := r.of(upstream(i).Server.Name); got.Breaker != "closed" {
			t.Errorf("the breaker of %s is %s after it answered", got.Name, got.Breaker)
		}
	}
}

// trip lets one upstream fail until its breaker opens.
func (r *rig) trip(victim string) {
	for range 4 * guard.DefaultFailures {
		r.run(exchange(), func(u *forward.Upstream) forward.Result {
			if u.Name == victim {
				return dead(u)
			}
			return ok(u)
		})
	}
}

// TestOneTrialAtATime: a half-open breaker has one request at most under way,
// and takes one that can be made again if there are such.
func TestOneTrialAtATime(t *testing.T) {
	r := newRig(t, quiet("round-robin"), upstreams(2))
	victim := upstream(0).Server.Name
	r.trip(victim)
	r.clock += guard.DefaultOpen
	var open []*forward.Exchange
	count := func(again bool) (trials int) {
		for range 10 {
			x := exchange()
			x.Again = again
			r.begin(x)
			if r.Pick(x).Name == victim {
				trials++
			}
			open = append(open, x)
		}
		return trials
	}
	if got := count(false); got != 0 {
		t.Errorf("%d requests that cannot be made again were trials at once", got)
	}
	if got := count(true); got != 1 {
		t.Errorf("%d requests were trials at once, want 1", got)
	}
	for _, x := range open {
		r.Done(x, x.Tried[0], forward.Result{Kind: forward.Abandoned, Now: r.clock})
		r.End(x)
	}
	r.clock += TrialPatience
	open = nil
	if got := count(false); got != 1 {
		t.Errorf("after %v without anything better %d requests were trials, want 1", TrialPatience, got)
	}
}

// TestPerUpstreamLimit: no upstream has more under way than it may, and all of
// it is used.
func TestPerUpstreamLimit(t *testing.T) {
	for _, policy := range []string{"peak-ewma", "maglev", "weighted-round-robin"} {
		s := quiet(policy)
		s.PerUpstream = 3
		r := newRig(t, s, upstreams(4))
		got, begun := make(map[string]int), []*forward.Exchange(nil)
		for range 12 {
			x := exchange()
			r.begin(x)
			begun = append(begun, x)
			u := r.Pick(x)
			if u == nil {
				t.Fatalf("%s: nobody after %v", policy, got)
			}
			got[u.Name]++
		}
		for name, n := range got {
			if n != 3 {
				t.Errorf("%s: %s has %d under way, want 3", policy, name, n)
			}
		}
		for _, x := range begun {
			r.Done(x, x.Tried[0], forward.Result{Status: 200, Now: r.clock})
			r.End(x)
			if again := exchange(); r.begin(again) != nil || r.Pick(again) != x.Tried[0] {
				t.Errorf("%s: the place that became free was not taken", policy)
			}
		}
	}
}

// TestPoliciesCountTheirOwn: requests that another policy picked, or that were
// trials, are not taken from the counts of this one when they end.
func TestPoliciesCountTheirOwn(t *testing.T) {
	r := newRig(t, quiet("round-robin"), upstreams(1))
	begin := func() *forward.Exchange {
		x := exchange()
		r.begin(x)
		r.Pick(x)
		return x
	}
	var old []*forward.Exchange
	for range 5 {
		old = append(old, begin())
	}
	if err := r.Set(quiet("least-connections"), upstreams(2)); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		begin() // five each
	}
	for _, x := range old {
		r.Done(x, x.Tried[0], forward.Result{Status: 200, Now: r.clock})
		r.End(x)
	}
	first := 0
	for range 4 {
		if begin().Tried[0] == old[0].Tried[0] {
			first++
		}
	}
	if first != 2 {
		t.Errorf("of two upstreams with five requests each the first got %d of four more, want 2", first)
	}
}

// TestFailuresTeachNoLatency: what fails at once is no fast answer.
func TestFailuresTeachNoLatency(t *testing.T) {
	s := quiet("round-robin")
	s.Hedge.Percentile = 90
	s.Health.ServerErrors, s.Health.Errors, s.Breaker.Failures = 0, 0, 0
	r := newRig(t, s, upstreams(2))
	delay := func() time.Duration {
		x := exchange()
		r.begin(x)
		defer r.End(x)
		return r.Hedge(x)
	}
	for range 2 * guard.HedgeSamples {
		r.run(exchange(), dead)
	}
	if got := delay(); got != 0 {
		t.Errorf("after failures alone a hedge is due after %v", got)
	}
	for range 2 * guard.HedgeSamples {
		r.run(exchange(), ok)
	}
	if got := delay(); got == 0 {
		t.Error("after as many answers no hedge is due")
	}
}

// TestChecksHurryBreakers: a check that is answered lets an open breaker have its
// probe after a second, not after a minute.
func TestChecksHurryBreakers(t *testing.T) {
	s := quiet("round-robin")
	s.Health.Interval, s.Health.ServerErrors, s.Health.Errors = time.Second, 0, 0
	r := newRig(t, s, upstreams(2))
	victim := upstream(0).Server.Name
	r.trip(victim)
	for second, want := range []string{"open", "half-open"} {
		targets, _ := board{r.Pool}.Due(2)
		if len(targets) != 2 {
			t.Fatalf("%d checks are due in second %d", len(targets), second)
		}
		for i := range targets {
			board{r.Pool}.Checked(&targets[i], "")
		}
		if got := r.of(victim).Breaker; got != want {
			t.Errorf("in second %d its breaker is %s, want %s", second, got, want)
		}
		r.clock += time.Second
	}
	r.run(exchange(), ok)
	if got := r.of(victim).Breaker; got != "closed" {
		t.Errorf("after its probe the breaker is %s", got)
	}
}

// TestBoardTargets: a check speaks to an upstream as requests do.
func TestBoardTargets(t *testing.T) {
	s := Defaults()
	s.Health.Path, s.Health.From, s.Health.To = "/health_check", 200, 204
	list := upstreams(3)
	list[0].Server.Proxy, list[1].Server.Proxy = 1, 2
	list[2].Server.Host, list[2].Server.HTTP2 = "a.example", true
	r := newRig(t, s, list)
	targets, wait := board{r.Pool}.Due(9)
	if len(targets) != 3 || wait != lookAgain {
		t.Fatalf("%d checks are due, the next in %v", len(targets), wait)
	}
	for i, want := range []string{"PROXY UNKNOWN\r\n", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", ""} {
		got := targets[i]
		if got.Preface != want || got.Address != list[i].Server.Address || got.Host != list[i].Server.Host ||
			got.HTTP2 != list[i].Server.HTTP2 || got.Path != "/health_check" || got.To != 204 || got.Timeout != s.Health.Timeout {
			t.Errorf("target %d is %+v", i, got)
		}
	}
	board{r.Pool}.Dropped(&targets[0])
	if again, _ := (board{r.Pool}).Due(9); len(again) != 1 {
		t.Errorf("%d checks are due after one was given up, want that one", len(again))
	}
	if r.Checker().Board != (board{r.Pool}) {
		t.Error("the prober has another board")
	}
}

// TestAdmission: rate limits and the balancer's own limit refuse, and count.
func TestAdmission(t *testing.T) {
	s := quiet("round-robin")
	s.Limit = guard.LimitRule{First: 2, Least: 2, Most: 2}
	limited := &forward.Refusal{Status: 429}
	clock, ended := time.Hour, 0
	p, err := New(Options{
		Now: func() time.Duration { return clock },
		Admit: func(x *forward.Exchange) *forward.Refusal {
			return map[string]*forward.Refusal{"POST": limited}[x.Method]
		},
		Ended: func(*forward.Exchange) { ended++ },
	}, s, upstreams(1))
	if err != nil {
		t.Fatal(err)
	}
	var begun []*forward.Exchange
	begin := func(method string) *forward.Refusal {
		x := exchange()
		x.Method, x.Begun = method, clock
		begun = append(begun, x)
		return p.Begin(x)
	}
	if got := begin("POST"); got != limited {
		t.Errorf("what is over the rate got %+v", got)
	}
	for n := range 2 {
		if begin("GET") != nil {
			t.Errorf("request %d was refused with a limit of two", n)
		}
	}
	if got := begin("GET"); got == nil || got.Status != 503 || !strings.Contains(got.Header, "Retry-After") {
		t.Errorf("the third got %+v, want 503", got)
	}
	for _, x := range begun {
		p.End(x)
	}
	if begin("GET") != nil {
		t.Error("refused, though all others have ended")
	}
	got := p.Stats()
	if got.Requests != 5 || got.RateLimited != 1 || got.Overloaded != 1 || got.InFlight != 1 || got.Limit != 2 || ended != 4 {
		t.Errorf("counted %+v, %d ended", got.Totals, ended)
	}
}

// TestKeysStay: a keyed policy sends what has the same key to the same place, and
// what has none anywhere.
func TestKeysStay(t *testing.T) {
	s := quiet("maglev")
	s.Keys = sources(t, "cookie:session", "header:User")
	r := newRig(t, s, upstreams(10))
	where := func(f *facts) map[string]int {
		got := make(map[string]int)
		for range 200 {
			x := exchange()
			x.Facts = f
			r.begin(x)
			got[r.Pick(x).Name]++
		}
		return got
	}
	if got := where(&facts{header: "session=ann"}); len(got) != 1 {
		t.Errorf("one key is in %d places", len(got))
	}
	if got := where(&facts{}); len(got) < 5 {
		t.Errorf("requests without a key go to %d of 10 upstreams", len(got))
	}
}
