package rpc_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/rpc"
	"github.com/polymath-run/polymath/internal/wire"
)

// table is what a fuzzed message may speak of without having been told: a
// name of one byte stands for something real.
type table struct {
	session, token []byte
	job            string
}

// fill puts real names where short ones stand.
func (n *table) fill(m *polymathv1.Calls) {
	put := func(b *[]byte, v []byte) {
		if len(*b) == 1 {
			*b = v
		}
	}
	for _, list := range [][]*polymathv1.JobCall{m.GetGets(), m.GetWaits(), m.GetCancels()} {
		for _, c := range list {
			if len(c.GetJob()) == 1 {
				c.Job = n.job
			}
		}
	}
	for _, j := range m.GetJoins() {
		put(&j.Session, n.session)
	}
	for _, d := range m.GetDemands() {
		put(&d.Session, n.session)
	}
	for i := range m.GetBeats() {
		put(&m.Beats[i], n.session)
	}
	for _, l := range m.GetLeaves() {
		put(&l.Session, n.session)
	}
	for _, p := range m.GetProgress() {
		put(&p.Token, n.token)
	}
	for _, r := range m.GetReports() {
		put(&r.Token, n.token)
	}
}

// FuzzCalls: whatever a client says, the server answers every call once, owes
// nothing in the end, and goes on.
func FuzzCalls(f *testing.F) {
	for _, m := range seeds() {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	s := start(f, f.TempDir(), "")
	f.Fuzz(func(t *testing.T, data []byte) {
		var m polymathv1.Calls
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		st := s.calls.Stream()
		book := &replies{st: st, all: make(map[uint64]int)}
		names := book.prepare(t, s)
		names.fill(&m)
		want := asked(&m)
		st.Take(&m)
		for owed := true; owed; { // jobs that wait for nobody are ended: so is who waits for them
			waitFor(t, s, func() bool {
				book.read(t)
				job, found := s.node.Find(func(*polymath.Job) bool { return true })
				if found {
					_ = s.node.Cancel(t.Context(), job.ID)
				}
				return !found
			})
			owed = st.Owed() > 0
		}
		book.read(t)
		for call, n := range book.all {
			if n > want[call] {
				t.Errorf("call %d was asked %d times and answered %d times", call, want[call], n)
			}
		}
		forgotten := make(map[uint64]bool)
		for _, call := range m.GetForgotten() {
			forgotten[call] = true
		}
		for call, n := range want {
			if book.all[call] != n && !forgotten[call] {
				t.Errorf("call %d was asked %d times and answered %d times", call, n, book.all[call])
			}
		}
		st.End()
		for _, w := range s.node.Workers() { // or the next lease would be theirs
			if _, err := s.node.Propose(t.Context(), &ledger.Close{Session: w.Session}); err != nil && polymath.CodeOf(err) != polymath.NotFound {
				t.Error(err)
			}
		}
	})
}

// asked counts the calls of a message by number.
func asked(m *polymathv1.Calls) map[uint64]int {
	want := make(map[uint64]int)
	for _, list := range [][]*polymathv1.JobCall{m.GetGets(), m.GetWaits(), m.GetCancels()} {
		for _, c := range list {
			want[c.GetCall()]++
		}
	}
	for _, c := range m.GetSubmissions() {
		want[c.GetCall()]++
	}
	for _, c := range m.GetJoins() {
		want[c.GetCall()]++
	}
	for _, c := range m.GetDemands() {
		want[c.GetCall()]++
	}
	for _, c := range m.GetReports() {
		want[c.GetCall()]++
	}
	for _, c := range m.GetLeaves() {
		want[c.GetCall()]++
	}
	return want
}

// replies are what a stream said.
type replies struct {
	st     rpc.Stream
	all    map[uint64]int
	last   map[uint64]*polymathv1.Reply
	grants []*polymathv1.Grant
}

// read takes what the stream has to say, which any client must be able to read.
func (r *replies) read(t *testing.T) {
	for _, m := range r.st.Replies() {
		data, err := proto.Marshal(m)
		if err != nil || len(data) > wire.MaxMessageBytes {
			t.Errorf("a message of %d bytes that nobody can read: %v", len(data), err)
		}
		for _, p := range m.GetReplies() {
			r.all[p.GetCall()]++
			if r.last != nil {
				r.last[p.GetCall()] = p
			}
		}
		r.grants = append(r.grants, m.GetGrants()...)
	}
}

// prepare gives the stream a worker that holds a lease.
func (r *replies) prepare(t *testing.T, s *server) *table {
	t.Helper()
	r.last = make(map[uint64]*polymathv1.Reply)
	r.st.Take(&polymathv1.Calls{
		Joins: []*polymathv1.Join{{Call: 1, Name: "w", Functions: []*polymathv1.Declaration{{Name: "f", Kind: "call", Reducer: "collect"}}}},
	})
	hear := func(enough func() bool) {
		waitFor(t, s, func() bool { r.read(t); return enough() })
	}
	hear(func() bool { return r.last[1] != nil })
	session := r.last[1].GetSession()
	r.st.Take(&polymathv1.Calls{
		Submissions: []*polymathv1.Submission{{Call: 2, Request: &polymathv1.Request{Function: "f"}}},
		Demands:     []*polymathv1.Demand{{Call: 3, Session: session, Functions: []string{"f"}, Slots: 1, Micros: uint64(time.Second.Microseconds())}},
	})
	hear(func() bool { return len(r.grants) > 0 && r.last[2] != nil && r.last[3] != nil })
	clear(r.all)
	return &table{session: session, token: r.grants[0].GetToken(), job: r.last[2].GetJob()}
}

// seeds are messages with everything in them.
func seeds() []*polymathv1.Calls {
	job := func(call uint64) []*polymathv1.JobCall { return []*polymathv1.JobCall{{Call: call, Job: "j"}} }
	x := []byte("x")
	return []*polymathv1.Calls{
		{},
		{Gets: job(1), Waits: job(2), Cancels: job(3), Forgotten: []uint64{2}},
		{Waits: append(job(1), job(1)...), Forgotten: []uint64{1}},
		{Submissions: []*polymathv1.Submission{
			{Call: 1, Request: &polymathv1.Request{Function: "primes", Input: []byte(`{"to":100}`), Ticket: ticket(7), Attempts: 1}},
			{Call: 2, Request: &polymathv1.Request{Function: "f", Key: "k", Tenant: "t", Queue: "q", Priority: -5, SkipDead: true, NotBefore: 5, Deadline: 1 << 50}},
			{Call: 3},
		}},
		{
			Joins: []*polymathv1.Join{{Call: 1, Name: "v", Session: x}, {Call: 2, Name: "u", Functions: []*polymathv1.Declaration{
				{Name: "g", Kind: "range", Reducer: "sum", Micros: 5, LongestRun: 6, Summary: "s"},
			}}},
			Demands: []*polymathv1.Demand{{Call: 3, Session: x, Functions: []string{"f", "g"}, Slots: 1 << 31, Micros: 1 << 63}},
			Beats:   [][]byte{x, nil}, Progress: []*polymathv1.Progress{{Token: x, Done: 1 << 63}},
			Leaves: []*polymathv1.Leave{{Call: 9, Session: x}},
		},
		{Reports: []*polymathv1.Report{
			{Call: 1, Token: x, Kind: polymathv1.Report_COMPLETE, Output: []byte("1"), Micros: 1 << 63},
			{Call: 2, Token: x, Kind: polymathv1.Report_FAIL, Error: "e"},
			{Call: 3, Token: x, Kind: polymathv1.Report_RELEASE},
			{Call: 4, Token: x, Kind: 9},
		}},
	}
}
