package link

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/wire"
	"github.com/polymath-run/polymath/internal/worker"
)

// FuzzReplies: whatever a server says, each call hears of its end once.
func FuzzReplies(f *testing.F) {
	session := polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 7}}
	grant := new(wire.Slab).Grant(session, &polymath.Lease{Token: polymath.Token{Ref: session}, Job: someJob(1), Function: "f", Interval: polymath.Interval{To: 1}})
	for _, m := range []*polymathv1.Replies{
		{},
		{Replies: []*polymathv1.Reply{{Call: 1, Job: someJob(1).String()}, {Call: 1}, {Call: 2}, {Call: 3}, {Call: 4, Session: wire.Session(session)}}},
		{Replies: []*polymathv1.Reply{{Call: 3, Picture: &polymathv1.Job{Id: "x"}}, {Call: 5, Error: wire.Error(polymath.Errorf(polymath.NotFound, "no"))}}},
		{Grants: []*polymathv1.Grant{grant}, Retired: []*polymathv1.Retired{{Session: grant.GetSession(), Token: grant.GetToken()}}, Closed: [][]byte{grant.GetSession()}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m polymathv1.Replies
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		l := &Link{wake: make(chan struct{}, 1), pending: make(map[uint64]*call), seats: make(map[polymath.Ref]*seat)}
		loop := worker.NewLoop(worker.Config{Parallel: 1, Runner: &idle{}, Now: func() time.Duration { return 0 }})
		s := &seat{link: l, post: func(e worker.Event) { e.Apply(loop) }, session: session, encoded: wire.Session(session)}
		l.seats[session] = s
		told := make(map[string]int)
		tell := func(name string) func(*polymathv1.Reply, error) {
			return func(*polymathv1.Reply, error) { told[name]++ }
		}
		var outcome Outcome
		fresh := &seat{link: l, post: s.post}
		joining := &call{once: true, question: &asked{write: s.putJoin, hear: func(r *polymathv1.Reply, err error) {
			told["join"]++
			_ = fresh.joined(r, err)
		}}}
		nothing := func(name string) question {
			return &asked{write: func(*polymathv1.Calls, uint64) int { return 0 }, hear: tell(name)}
		}
		submitted := &countdown{zero: make(chan struct{})}
		submitted.n.Store(1)
		l.standing = true
		err := l.ask(
			new(submission).ask(&polymathv1.Request{}, &outcome, submitted),
			&call{question: nothing("get")}, &call{question: nothing("wait")}, joining, &call{question: nothing("report"), once: true},
		)
		if err != nil {
			t.Fatal(err)
		}
		loop.Sit(s)
		l.take(&m)
		l.take(&m) // said twice
		l.broke()
		l.begin()
		l.take(&m)
		l.fail(errAway())
		told["submit"] = 1 - int(submitted.n.Load())
		for _, name := range []string{"submit", "get", "wait", "join", "report"} {
			if told[name] != 1 {
				t.Errorf("%s was told %d times", name, told[name])
			}
		}
		if outcome.Err == nil && outcome.Job.String() == "" {
			t.Errorf("%+v", outcome)
		}
	})
}
