package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
)

// TestMain makes the test's program play the other roles, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "-role-") {
		if err := role(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestService is the soak in short, for every change. (W4, W8, P6)
func TestService(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a server, workers and clients for some seconds")
	}
	s := settings{
		length: 8 * time.Second, seed: uint64(time.Now().UnixNano()), workers: 2, clients: 3, longest: 800 * time.Millisecond,
	}
	var out strings.Builder
	err := soak(t.Context(), s, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "bar service/lost 0\nbar service/twice 0\n") {
		t.Error("the bars are missing")
	}
}

func TestBookOutlivesItsClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book")
	first, second := testJob(t, 1), testJob(t, 2)
	b, err := openBook(path)
	if err != nil {
		t.Fatal(err)
	}
	one, err1 := b.try(1, 4)
	two, err2 := b.try(5, 5)
	if _, err3 := b.try(6, 8); err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	if b.ack(one, first) != nil || b.ack(two, second) != nil || b.ack(two, second) != nil || b.end(one) != nil || b.close() != nil {
		t.Fatal("not written")
	}
	if b.ack(two, first) == nil {
		t.Error("an order was acknowledged as two jobs")
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("end 1"); err != nil || f.Close() != nil {
		t.Fatal("not cut short", err)
	}
	for range 2 { // the line that was cut short is gone for good
		if b, err = openBook(path); err != nil {
			t.Fatal(err)
		}
		if open := b.open(); len(open) != 2 || open[0].seq != 1 || open[0].job != second || open[1].acked || open[1].answer() != "21" {
			t.Errorf("open orders: %+v", open)
		}
		if err := b.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func testJob(t *testing.T, position uint64) polymath.JobID {
	t.Helper()
	return polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: position}}}
}

func TestBookRefusesWhatItDidNotWrite(t *testing.T) {
	for _, text := range []string{
		"try\n", "try 1 0 0\n", "try 0 1\n", "ack 0 x\n", "try 0 1 2\nack 0 x\n", "try 0 1 2\nack 0\n", "try 0 1 2\nlose 0\n", "\n",
		"try 0 1 2\nack 0 " + testJob(t, 1).String() + "\nack 0 " + testJob(t, 2).String() + "\n",
	} {
		if orders, err := parseBook([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, orders)
		}
	}
}

func TestAnswerIsTheSum(t *testing.T) {
	for _, o := range []order{{from: 0, to: 0}, {from: 3, to: 3}, {from: 7, to: 300}, {from: mostFrom, to: mostFrom + mostUnits}} {
		var sum uint64
		for n := o.from; n <= o.to; n++ {
			sum += n
		}
		if got := o.answer(); got != strconv.FormatUint(sum, 10) {
			t.Errorf("%d..%d: %s, want %d", o.from, o.to, got, sum)
		}
	}
}

func TestCount(t *testing.T) {
	for archived, want := range map[int]found{10: {}, 12: {twice: 2}, 7: {lost: 3}} {
		f := found{orders: 10}
		f.count(archived)
		if f.lost != want.lost || f.twice != want.twice {
			t.Errorf("%d of 10 archived: lost %d, twice %d", archived, f.lost, f.twice)
		}
	}
}
