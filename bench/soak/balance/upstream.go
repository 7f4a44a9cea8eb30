package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	secret "crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// upstreamRole makes this program one of the servers:
//
//	balance -role-upstream PLAIN TLS JOURNAL
//
// with two addresses and a file of what was done that must not be done twice.
const upstreamRole = "-role-upstream"

// The fields of requests and answers.
const (
	fieldID   = "X-Id"
	fieldGot  = "X-Got"  // what arrived of a body: its length and CRC-32
	fieldWait = "X-Wait" // how long is left for an answer, in seconds
)

// waits is the longest that is left, in seconds.
const waits = 15

// How answers come; query "mode".
const (
	modePlain   = ""
	modeChunked = "chunked" // in pieces of unknown number
	modeCut     = "cut"     // half of it, and the end of the connection
	modeEarly   = "early"   // before the request's body was read
	modeHint    = "hint"    // behind a 103
	modeDoubt   = "doubt"   // with a 503 every other time
)

const (
	slowTime   = 700 * time.Millisecond // for how long a signal makes an upstream slow
	slowAnswer = 150 * time.Millisecond // what each answer takes then
	piece      = 4 << 10                // of an answer in pieces
)

// backend is an upstream.
type backend struct {
	journal *os.File
	slow    atomic.Int64 // until then it is slow, in Unix nanoseconds
}

// serve is an upstream's process. SIGUSR1 makes it slow, SIGTERM ends it in order.
func serve(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%q: an upstream needs two addresses and a file", args)
	}
	journal, err := os.OpenFile(args[2], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s := &backend{journal: journal}
	slow := make(chan os.Signal, 1)
	signal.Notify(slow, syscall.SIGUSR1)
	go func() {
		for range slow {
			s.slow.Store(time.Now().Add(slowTime).UnixNano())
		}
	}()
	pair, err := ownCertificate()
	if err != nil {
		return err
	}
	web := &http.Server{
		Handler: s, ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	web.Protocols.SetHTTP1(true)
	web.Protocols.SetHTTP2(true)
	web.Protocols.SetUnencryptedHTTP2(true)
	plain, err := listen(args[0])
	if err != nil {
		return err
	}
	secure, err := listen(args[1])
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- web.Serve(plain) }()
	go func() { ended <- web.ServeTLS(secure, "", "") }()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := web.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// listen takes an address that a process before this one may just have had.
func listen(address string) (l net.Listener, err error) {
	for range 100 {
		if l, err = net.Listen("tcp", address); err == nil {
			return l, nil
		}
		<-time.After(20 * time.Millisecond)
	}
	return nil, err
}

// ownCertificate is one that nobody has signed.
func ownCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), secret.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(secret.Reader, about, about, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// ServeHTTP implements http.Handler.
func (s *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/health" {
		return
	}
	id := r.Header.Get(fieldID)
	if time.Now().UnixNano() < s.slow.Load() {
		<-time.After(slowAnswer)
	}
	w.Header().Set(fieldID, id)
	if left, err := strconv.ParseFloat(r.Header.Get(fieldWait), 64); err != nil || left <= 0 || left > waits {
		w.WriteHeader(http.StatusTeapot) // it was not told how long is left, or wrong
		return
	}
	if r.Header.Get("Upgrade") != "" {
		upgrade(w)
		return
	}
	if r.Method == http.MethodPost {
		if _, err := s.journal.WriteString(id + "\n"); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	size, _ := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64) // left out it is 0
	mode := r.URL.Query().Get("mode")
	if mode == modeHint {
		w.WriteHeader(http.StatusEarlyHints)
	}
	if mode != modeEarly {
		sum := crc32.NewIEEE()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set(fieldGot, got(n, sum.Sum32()))
	}
	if mode != modeChunked {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
	if mode == modeDoubt && rand.IntN(2) == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	answer(w, id, size, mode)
}

// answer writes a body.
func answer(w http.ResponseWriter, id string, size int64, mode string) {
	body := newPattern(id, size)
	switch mode {
	case modeChunked:
		for n, err := int64(piece), error(nil); err == nil && n == piece; {
			if n, err = io.CopyN(w, body, piece); err == nil {
				_ = http.NewResponseController(w).Flush() // who is gone reads nothing
			}
		}
	case modeCut:
		_, _ = io.CopyN(w, body, size/2) // it ends either way
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
		_, _ = io.Copy(w, body) // who is gone reads nothing
	}
}

// upgrade echoes lines until the other side ends.
func upgrade(w http.ResponseWriter) {
	nc, b, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusNotImplemented) // HTTP/2
		return
	}
	defer nc.Close() //nolint:errcheck // both sides have said what they had to
	_, _ = fmt.Fprintf(b, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: soak\r\n%s: %s\r\n\r\n", fieldID, w.Header().Get(fieldID))
	for err = b.Flush(); err == nil; err = b.Flush() {
		line, end := b.ReadSlice('\n')
		if end != nil && !errors.Is(end, bufio.ErrBufferFull) {
			return
		}
		_, _ = b.Write(line) // Flush tells
	}
}

// got says what arrived.
func got(n int64, sum uint32) string { return fmt.Sprintf("%d-%08x", n, sum) }

// pattern is bytes that belong to an id, and to no other.
type pattern struct {
	period [sha256.Size]byte
	at     int64
	size   int64
}

func newPattern(id string, size int64) *pattern {
	return &pattern{period: sha256.Sum256([]byte(id)), size: size}
}

// Read implements io.Reader.
func (p *pattern) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) && p.at < p.size {
		b[n] = p.period[p.at%sha256.Size]
		n, p.at = n+1, p.at+1
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}
