package forward

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/internal/balance/http1"
)

// tunnelRest is how long one direction of a tunnel may say nothing once the
// other has ended.
const tunnelRest = 10 * time.Second

// tunnel passes on a 101, and then whatever either side says, until both have
// ended theirs or nobody says anything for too long. Bytes that were sent early
// come first.
func (c *conn) tunnel(a *attempt) bool {
	b, x := a.back, &c.x
	c.stopPump()
	c.stopWatch()
	x.Status = b.answer.Status
	c.out = b.answer.Append(c.out[:0], b.in, &http1.Answer{Upgrade: true, Extra: x.Fields})
	c.out = append(c.out, b.in[b.answer.Size:]...)
	early := append(append([]byte(nil), c.in[c.request.Size+c.body.early:]...), c.after...)
	t := &tunnel{f: c.f}
	t.last.Store(int64(c.f.o.Now()))
	t.idle.Store(int64(c.f.o.Timeouts.Tunnel))
	sent := int64(len(b.in) - b.answer.Size)
	if c.write(c.out) == nil && (len(early) == 0 || b.write(early, c.f.o.Timeouts.Write) == nil) {
		var both sync.WaitGroup
		both.Go(func() { t.carry(b.nc, c.nc) })
		sent += t.carry(c.nc, b.nc)
		both.Wait()
	}
	x.Sent = sent
	a.drop()
	c.settle(a, Answered)
	return false
}

// tunnel is two directions that keep each other alive.
type tunnel struct {
	f    *Front
	last atomic.Int64 // when a byte came last, on the front's clock
	idle atomic.Int64 // how long neither may say anything; shorter once one has ended
}

// carry copies one direction until it ends, ends the same direction behind it,
// and says how many bytes went. Where it fails, both directions end.
func (t *tunnel) carry(to, from net.Conn) int64 {
	buffer := t.f.takeBuffer()
	defer t.f.putBuffer(buffer)
	total := int64(0)
	wait := time.Duration(t.idle.Load())
	for {
		_ = from.SetReadDeadline(time.Now().Add(wait))
		n, err := from.Read(*buffer)
		if n > 0 {
			t.last.Store(int64(t.f.o.Now()))
			wait = time.Duration(t.idle.Load())
			_ = to.SetWriteDeadline(time.Now().Add(t.f.o.Timeouts.Write))
			if _, err := to.Write((*buffer)[:n]); err != nil {
				break
			}
			total += int64(n)
			continue
		}
		if errors.Is(err, io.EOF) {
			if closeWrite(to) != nil {
				break
			}
			rest := min(tunnelRest, t.f.o.Timeouts.Tunnel)
			t.idle.Store(int64(rest))
			_ = to.SetReadDeadline(time.Now().Add(rest))
			return total
		}
		// The other direction may have said something meanwhile.
		wait = time.Duration(t.idle.Load()) - (t.f.o.Now() - time.Duration(t.last.Load()))
		if !isTimeout(err) || wait <= 0 {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
	return total
}
