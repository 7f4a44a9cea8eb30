package ledger

import (
	"testing"

	"github.com/polymath-run/polymath"
)

// TestImageRoom: the parts of an image get no more room than it needs altogether:
// one large job, in the last part too, does not make every part large.
func TestImageRoom(t *testing.T) {
	r := newRig(t)
	for bucketOf(r.do(&Submit{Spec: spec(1)}).Ref) != bucketCount-2 { // until the next one comes to lie in the last part
	}
	large := spec(1)
	large.Input = make([]byte, polymath.MaxInlineBytes)
	if a := r.do(&Submit{Spec: large}); a.Err != nil || bucketOf(a.Ref) != bucketCount-1 {
		t.Fatalf("%+v", a)
	}
	size := 0
	for _, part := range takeAll(r.l) {
		size += len(part)
	}
	if got := r.l.partBytes * bucketCount; got == 0 || got > size*9/8 {
		t.Errorf("an image of %d bytes gets room for %d", size, got)
	}
}
