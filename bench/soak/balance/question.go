package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswer  = 64 << 10 // bytes of most answers
	maxUpload  = 96 << 10 // more than what is kept to be told again
	maxProblem = 4 << 10
)

// question is a request, and what its right answer is.
type question struct {
	id      string
	method  string
	size    int64         // of the answer
	upload  int64         // of the request's body
	chunked bool          // the upload
	expect  bool          // the upload waits for 100
	mode    string        // of the answer
	spent   time.Duration // on sending it
}

// newQuestion is one with little about it.
func newQuestion(id string, random *rand.Rand) *question {
	q := &question{id: id, method: http.MethodGet, size: random.Int64N(2000)}
	if random.IntN(8) == 0 {
		q.size = random.Int64N(maxAnswer)
	}
	q.mode = []string{modePlain, modePlain, modePlain, modeChunked, modeHint}[random.IntN(5)]
	switch random.IntN(10) {
	case 0:
		q.method, q.mode = http.MethodHead, modePlain
	case 1:
		q.method = http.MethodDelete
	case 2, 3:
		q.method, q.upload = http.MethodPut, random.Int64N(3000)
	case 4:
		q.method, q.upload = http.MethodPost, random.Int64N(3000)
	}
	return q
}

// target is where it is asked.
func (q *question) target() string {
	return "/answer?size=" + strconv.FormatInt(q.size, 10) + "&mode=" + q.mode
}

// body is the upload.
func (q *question) body() io.Reader { return newPattern("up "+q.id, q.upload) }

// head is the head of the request as HTTP/1.1.
func (q *question) head() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: soak.test\r\n%s: %s\r\n", q.method, q.target(), fieldID, q.id)
	switch {
	case q.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	case q.upload > 0 || q.method == http.MethodPost:
		_, _ = fmt.Fprintf(&b, "Content-Length: %d\r\n", q.upload)
	}
	if len(q.id)%2 == 0 { // the others leave it to the balancer
		_, _ = fmt.Fprintf(&b, "%s: %d\r\n", fieldWait, waits-1)
	}
	if q.expect {
		b.WriteString("Expect: 100-continue\r\n")
	}
	return b.String() + "\r\n"
}

// text is the whole request.
func (q *question) text(random *rand.Rand) []byte {
	b := bytes.NewBufferString(q.head())
	if !q.chunked {
		_, _ = io.Copy(b, q.body()) // into memory
		return b.Bytes()
	}
	for left := q.body(); ; {
		var chunk bytes.Buffer
		n, _ := io.CopyN(&chunk, left, 1+random.Int64N(5000)) // into memory
		_, _ = fmt.Fprintf(b, "%x\r\n%s\r\n", n, chunk.Bytes())
		if n == 0 {
			return b.Bytes()
		}
	}
}

// read reads the answer, and says how it ended. over: nothing can follow on the
// connection.
func (q *question) read(r *bufio.Reader) (cause string, over bool, err error) {
	for {
		a, err := http.ReadResponse(r, &http.Request{Method: q.method})
		if err != nil {
			return "", true, fmt.Errorf("%s %s of %s was not answered: %w", q.method, q.target(), q.id, err)
		}
		if a.StatusCode < http.StatusOK && a.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		cause, err := q.judge(a)
		return cause, a.Close || cause == causeCut || err != nil, err
	}
}

// judge looks at an answer.
func (q *question) judge(a *http.Response) (cause string, err error) {
	defer a.Body.Close() //nolint:errcheck // it was only read
	id := a.Header.Get(fieldID)
	if id == "" && a.StatusCode >= http.StatusInternalServerError && a.Header.Get("Content-Type") == "application/problem+json" {
		return q.refused(a)
	}
	if id == "" && a.StatusCode == http.StatusRequestTimeout && q.spent >= shortestWait {
		return causeSlow, nil
	}
	right := causeRight
	if a.StatusCode == http.StatusServiceUnavailable && q.mode == modeDoubt {
		right = causeDoubt
	} else if a.StatusCode != http.StatusOK {
		id = "" // nobody's
	}
	if id == "" || id != q.id {
		return "", fmt.Errorf("%+v was answered %d for %q", *q, a.StatusCode, id)
	}
	if q.mode != modeEarly {
		sum := crc32.NewIEEE()
		n, _ := io.Copy(sum, q.body()) // from memory
		if want := got(n, sum.Sum32()); a.Header.Get(fieldGot) != want {
			return "", fmt.Errorf("of the body of %s %s arrived, not %s", q.id, a.Header.Get(fieldGot), want)
		}
	}
	size := q.size
	if q.method == http.MethodHead {
		size = 0
	}
	n, err := compare(a.Body, newPattern(q.id, size))
	switch {
	case errors.Is(err, errDiffers):
		return "", fmt.Errorf("the body for %s, %s %s, is another after %d of %d bytes", q.id, q.method, q.target(), n, size)
	case err != nil:
		return causeCut, nil // whoever is killed ends so
	case n != size || q.mode == modeCut && size > 0:
		return "", fmt.Errorf("%s %s of %s ended as if whole after %d of %d bytes", q.method, q.target(), q.id, n, size)
	}
	return right, nil
}

// refused looks at an answer of the balancer's own.
func (q *question) refused(a *http.Response) (cause string, err error) {
	var p struct{ Title string }
	text, err := io.ReadAll(io.LimitReader(a.Body, maxProblem))
	if err != nil {
		return "", fmt.Errorf("the refusal of %s ended early: %w", q.id, err)
	}
	if q.method != http.MethodHead {
		if err := json.Unmarshal(text, &p); err != nil {
			return "", fmt.Errorf("the refusal of %s: %w: %q", q.id, err, text)
		}
	} else if a.StatusCode == http.StatusBadGateway || a.StatusCode == http.StatusServiceUnavailable || a.StatusCode == http.StatusGatewayTimeout {
		return fmt.Sprintf("%d to HEAD", a.StatusCode), nil
	}
	if !slices.Contains(allowed(), p.Title) {
		return "", fmt.Errorf("%s %s of %s was refused with %d %s", q.method, q.target(), q.id, a.StatusCode, text)
	}
	return p.Title, nil
}

// errDiffers is of bytes that should not be there.
var errDiffers = errors.New("another byte")

// compare reads a body as long as it is what it should be.
func compare(r, want io.Reader) (n int64, err error) {
	var a, b [4 << 10]byte
	for {
		m, err := r.Read(a[:])
		k, _ := io.ReadFull(want, b[:m]) // it has no errors but its end
		if !bytes.Equal(a[:m], b[:k]) {
			return n, errDiffers
		}
		n += int64(m)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
