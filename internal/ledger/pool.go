package ledger

import (
	"github.com/polymath-run/polymath"
)

// pool is what the entries before have left for the next one to be read into:
// an entry is read, applied and forgotten, and nearly all of its commands are of
// two kinds and name what the others named.
type pool struct {
	submits   []*Submit
	completes []*Complete
	words     [wordSlots]string
}

// wordSlots is how many texts are remembered.
const wordSlots = 64

// command is an empty command of a kind, or nil for an unknown kind.
func (p *pool) command(k commandKind) Command {
	if p == nil {
		return newCommand(k)
	}
	switch n, m := len(p.submits), len(p.completes); {
	case k == kindSubmit && n > 0:
		s := p.submits[n-1]
		p.submits = p.submits[:n-1]
		return s
	case k == kindComplete && m > 0:
		s := p.completes[m-1]
		p.completes = p.completes[:m-1]
		return s
	}
	return newCommand(k)
}

// reuse takes back the commands of an entry, which nobody has any more.
func (p *pool) reuse(e *Entry) {
	for _, cmd := range e.Commands {
		switch k := cmd.(type) {
		case *Submit:
			*k = Submit{}
			p.submits = append(p.submits, k)
		case *Complete:
			*k = Complete{}
			p.completes = append(p.completes, k)
		}
	}
	clear(e.Commands)
	*e = Entry{Commands: e.Commands[:0]}
}

// word is the text of bytes, the one that was made before if it is remembered.
func (p *pool) word(b []byte) string {
	if p == nil || len(b) == 0 || len(b) > polymath.MaxNameBytes {
		return string(b)
	}
	n := len(b)
	w := &p.words[(n+int(b[0])<<2+int(b[n-1])<<1)%wordSlots]
	if *w != string(b) {
		*w = string(b)
	}
	return *w
}
