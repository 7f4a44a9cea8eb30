package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/polymath-run/polymath"
)

// ImageParts is how many parts an image has: a head, and one part for each
// bucket of jobs.
const ImageParts = 1 + bucketCount

// Image is the state of a ledger at one index, being copied part by part
// while the ledger goes on. The goroutine that owns the ledger also calls
// Next. Two images of equal states are equal bytes.
type Image struct {
	ledger *Ledger
	index  polymath.Index
	head   []byte
	keys   keyLine             // as it was
	kept   [bucketCount][]byte // copied, not yet handed out
	next   int                 // part to hand out
	bytes  int                 // of the parts of buckets so far
}

// BeginImage begins an image of the state as it is now. One at a time: an
// image begun earlier must have been finished or ended.
func (l *Ledger) BeginImage() *Image {
	m := &Image{ledger: l, index: l.index, head: l.copyHead(), keys: l.keys.line.view()}
	l.image = m
	return m
}

// Index is the index the image is of.
func (m *Image) Index() polymath.Index { return m.index }

// Next hands out the parts in order, ImageParts of them, then nil.
func (m *Image) Next() []byte {
	switch m.next {
	case 0:
		m.next++
		return m.head
	case ImageParts:
		m.End()
		return nil
	}
	n := m.next - 1
	m.ledger.keep(n)
	part := appendKeys(m.kept[n], &m.keys, n)
	m.kept[n] = nil
	m.bytes += len(part)
	if m.next++; m.next == ImageParts {
		m.ledger.partBytes = m.bytes / bucketCount * 9 / 8
	}
	return part
}

// End gives up an image that was not finished; after it nothing more is
// copied. It may be called twice.
func (m *Image) End() {
	if m.ledger.image == m {
		m.ledger.image = nil
	}
}

// keep copies a bucket for the image being taken, if it still needs it.
func (l *Ledger) keep(n int) {
	if m := l.image; m != nil && n+1 >= m.next && m.kept[n] == nil {
		m.kept[n] = l.copyBucket(n, l.partBytes)
	}
}

// Hash is the SHA-256 of the ledger's image: replicas that read the same
// entries have the same.
func (l *Ledger) Hash() [sha256.Size]byte {
	h := sha256.New()
	write := func(part []byte) {
		var size [8]byte
		binary.LittleEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	write(l.copyHead())
	for n := range bucketCount {
		write(appendKeys(l.copyBucket(n, 0), &l.keys.line, n))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (l *Ledger) copyHead() []byte {
	c := coder{b: []byte{Version}}
	l.codeHead(&c)
	return c.written()
}

// copyBucket writes a bucket into a part with room for so many bytes, at first.
func (l *Ledger) copyBucket(n, room int) []byte {
	c := coder{b: make([]byte, 0, room)}
	l.codeBucket(&c, &l.buckets[n])
	return c.written()
}

// appendKeys appends the n-th bucket's share of the past keys.
func appendKeys(part []byte, keys *keyLine, n int) []byte {
	c := coder{b: part}
	from, to := keys.share(n)
	c.length(to-from, maxPastKeys)
	for i := from; i < to; i++ {
		keys.at(i).code(&c)
	}
	return c.written()
}

// Restore makes the ledger an image was taken of. next hands out its parts in
// order. The error is a *VersionError for an image of a newer Polymath, and
// otherwise says that the parts are no image.
func Restore(next func() ([]byte, error)) (*Ledger, error) {
	l := New(0)
	head, err := next()
	if err != nil {
		return nil, err
	}
	if err := checkVersion("image", head); err != nil {
		return nil, err
	}
	c := coder{b: head[1:], reading: true}
	late := l.codeHead(&c)
	if err := c.done(); err != nil {
		return nil, fmt.Errorf("image head: %w", err)
	}
	if err := l.countDemand(); err != nil {
		return nil, fmt.Errorf("image head: %w", err)
	}
	virtual := l.virtual
	l.virtual = 0 // so that jobs that come back leave the passes alone
	for n := range bucketCount {
		part, err := next()
		if err != nil {
			return nil, err
		}
		if err := l.restorePart(n, part); err != nil {
			return nil, fmt.Errorf("image part %d: %w", n+1, err)
		}
	}
	l.virtual = virtual
	if err := l.relink(late); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	if err := l.Check(); err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	return l, nil
}

func (l *Ledger) restorePart(n int, part []byte) error {
	c := coder{b: part, reading: true}
	l.codeBucket(&c, &l.buckets[n])
	var keys []pastKey
	list(&c, &keys, maxPastKeys, func(p *pastKey) { p.code(&c) })
	for _, p := range keys {
		l.keys.add(p)
	}
	return c.done()
}

// countDemand adds up what the restored sessions ask for.
func (l *Ledger) countDemand() error {
	for _, s := range l.sessions {
		if n := len(s.functions); n > 0 && int(slices.Max(s.functions)) >= len(l.functions) {
			return errMalformed
		}
		l.countWants(s, +1)
	}
	return nil
}

// relink follows the refs that pointed ahead, and puts the leases of sessions
// in the order of their tokens.
func (l *Ledger) relink(late lateRefs) error {
	for _, s := range l.sessions {
		slices.SortFunc(s.leases, func(a, b *lease) int { return a.ref.Compare(b.ref) })
	}
	for _, r := range late.idle {
		s := l.session(r)
		if s == nil || s.since != 0 {
			return errMalformed
		}
		l.park(s)
	}
	for _, r := range late.suspects {
		ls := l.leases.Get(r)
		if ls == nil {
			return errMalformed
		}
		l.suspects = append(l.suspects, ls)
	}
	for _, q := range l.queues { // now that all their leases are counted
		l.relist(q)
	}
	return nil
}
