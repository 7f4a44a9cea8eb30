package rpc

import (
	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// keptAsked bounds what is kept of it for the calls to come.
const keptAsked = 2 * polymath.MaxSlots

// asked is a call that waits for the answer to a command. Each job has two, one
// when it is submitted and one when it is reported, so they are used again,
// with the function that hears the answer.
type asked struct {
	stream *stream
	call   uint64
	token  polymath.Token // of what is reported; zero: a job was submitted
	hear   func(ledger.Answer)
}

// ask makes what hears the answer to a call. The node is in hand, here and when
// it hears.
func (st *stream) ask(call uint64, token polymath.Token) func(ledger.Answer) {
	s := st.server
	var a *asked
	if last := len(s.asked) - 1; last >= 0 {
		a, s.asked = s.asked[last], s.asked[:last]
	} else {
		a = &asked{}
		a.hear = func(answer ledger.Answer) { s.told(a, answer) }
	}
	a.stream, a.call, a.token = st, call, token
	return a.hear
}

// told passes the answer to a call on.
func (s *Server) told(a *asked, answer ledger.Answer) {
	st, call, token := a.stream, a.call, a.token
	if a.stream = nil; len(s.asked) < keptAsked {
		s.asked = append(s.asked, a)
	}
	node := s.service.Node()
	switch {
	case !token.IsZero():
		node.EndReport(token, st.route)
		// The worker goes on without it.
		st.reply(call, item{err: s.refusal(answer.Err), lazy: answer.Err == nil})
	case answer.Err != nil:
		st.done(call, answer.Err)
	default:
		st.reply(call, item{id: node.JobID(answer.Ref), existing: answer.Existing})
	}
}
