package catalog

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/function/remote"
)

func list(name string) remote.Declaration {
	return remote.Declaration{Name: name, Kind: remote.List, Reducer: polymath.Collect}
}

func TestDeclare(t *testing.T) {
	c := New(all.Set(false))
	if _, err := c.Get("render"); polymath.CodeOf(err) != polymath.NotFound || !strings.Contains(err.Error(), "primes") {
		t.Errorf("an unknown function: %v", err)
	}
	for range 2 {
		if err := c.Declare([]remote.Declaration{list("render")}); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := c.Get("render"); err != nil || f.Describe().Name != "render" || !slices.Contains(c.Names(), "render") {
		t.Errorf("%v, %v", f, err)
	}
	if f, err := c.Get("primes"); err != nil || f.Describe().Name != "primes" {
		t.Errorf("a built-in one: %v", err)
	}
	other := list("render")
	other.Kind = remote.Call
	for range 2 {
		if err := c.Declare([]remote.Declaration{list("new"), other}); polymath.CodeOf(err) != polymath.Conflict {
			t.Errorf("declared in another way: %v", err)
		}
		c.Retract([]remote.Declaration{list("render")})
	}
	if slices.Contains(c.Names(), "new") {
		t.Error("half of a declaration was taken")
	}
	if _, err := c.Get("render"); err != nil {
		t.Errorf("without its workers, jobs wait for them: %v", err)
	}
	if err := c.Declare([]remote.Declaration{other}); err != nil {
		t.Errorf("when all others are gone it may change: %v", err)
	}
	for name, code := range map[string]polymath.Code{"primes": polymath.Conflict, "Bad": polymath.InvalidArgument} {
		if err := c.Declare([]remote.Declaration{list(name)}); polymath.CodeOf(err) != code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBounded: what is in use stays and is bounded, what is not makes room.
func TestBounded(t *testing.T) {
	c := New(all.Set(false))
	for n := range 3 * MaxDeclared {
		d := []remote.Declaration{list(fmt.Sprint("f", n))}
		if err := c.Declare(d); err != nil {
			t.Fatal(err)
		}
		c.Retract(d)
	}
	if n := len(c.declared); n > MaxDeclared {
		t.Errorf("%d functions are kept", n)
	}
	for n := range MaxDeclared {
		if err := c.Declare([]remote.Declaration{list(fmt.Sprint("g", n))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Declare([]remote.Declaration{list("more")}); polymath.CodeOf(err) != polymath.Overloaded {
		t.Errorf("one too many: %v", err)
	}
	if _, err := c.Get("g0"); err != nil {
		t.Error(err)
	}
}

// TestOneDeclaration: the bound and the names hold within one declaration,
// too, and a refused one leaves nothing behind.
func TestOneDeclaration(t *testing.T) {
	c := New(all.Set(false))
	many := make([]remote.Declaration, MaxDeclared+1)
	for i := range many {
		many[i] = list(fmt.Sprintf("function-%d", i))
	}
	if err := c.Declare(many); polymath.CodeOf(err) != polymath.Overloaded {
		t.Errorf("one too many: %v", err)
	}
	if err := c.Declare([]remote.Declaration{many[0], many[0]}); polymath.CodeOf(err) != polymath.InvalidArgument {
		t.Errorf("one twice: %v", err)
	}
	if len(c.declared) != 0 {
		t.Errorf("%d functions were left behind", len(c.declared))
	}
	if err := c.Declare(many[1:]); err != nil {
		t.Error(err)
	}
	c.Retract(many[1:])
	if err := c.Declare(many[:1]); err != nil { // those that nobody declares make room
		t.Error(err)
	}
	if err := c.Declare(many[1:]); polymath.CodeOf(err) != polymath.Overloaded {
		t.Errorf("one more than there is room for, known before: %v", err)
	}
	if _, err := c.Get("nonsense"); len(err.Error()) > 2000 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

// TestReadWhileDeclared: whoever reads sees one declaration or the other.
func TestReadWhileDeclared(t *testing.T) {
	c := New(all.Set(false))
	other := list("f")
	other.Kind = remote.Call
	var declaring sync.WaitGroup
	declaring.Go(func() {
		for i := range 1000 {
			d := []remote.Declaration{[]remote.Declaration{list("f"), other}[i%2]}
			if err := c.Declare(d); err != nil {
				t.Error(err)
			}
			c.Retract(d)
		}
	})
	for range 1000 {
		if f, err := c.Get("f"); err == nil && f.Describe().Name != "f" {
			t.Error(f.Describe())
		}
	}
	declaring.Wait()
}
