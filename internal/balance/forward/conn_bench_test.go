package forward_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// still is a Director that always takes one upstream, and checks nothing.
type still struct {
	u *forward.Upstream
}

func (s *still) Begin(*forward.Exchange) *forward.Refusal                  { return nil }
func (s *still) Done(*forward.Exchange, *forward.Upstream, forward.Result) {}
func (s *still) End(*forward.Exchange)                                     {}
func (s *still) Retry(*forward.Exchange, forward.Result) bool              { return false }
func (s *still) Hedge(*forward.Exchange) time.Duration                     { return 0 }
func (s *still) Pick(x *forward.Exchange) *forward.Upstream {
	x.Attempts++
	return s.u
}

// BenchmarkFront tells what one exchange costs, the upstream's and the client's
// own work included.
func BenchmarkFront(b *testing.B) {
	id := forwardtest.NewIdentity(b)
	for _, name := range []string{"plain", "TLS"} {
		b.Run(name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			go answerAlways(l)
			o := forward.Options{Director: &still{u: &forward.Upstream{Name: "up", Address: l.Addr().(*net.TCPAddr).AddrPort()}}}
			var conf *tls.Config
			if name == "TLS" {
				o.TLS, conf = id.Server(), id.Client("http/1.1")
			}
			c, err := forwardtest.Dial(startFront(b, o), conf)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			request := []byte("GET /a HTTP/1.1\r\nHost: example.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
			answer := make([]byte, len(fixedAnswer))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(request); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

const fixedAnswer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"

// answerAlways answers each head with the same bytes.
func answerAlways(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			r := bufio.NewReader(c)
			for {
				line, err := r.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) == 2 {
					if _, err := io.WriteString(c, fixedAnswer); err != nil {
						return
					}
				}
			}
		}()
	}
}
