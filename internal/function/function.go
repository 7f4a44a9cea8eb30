// Package function is the port behind which calculations live.
//
//	input ── Plan ──> units, costs, reducer      (at the edge, once)
//	units ── Run ───> output of an interval      (on a worker, any number of times)
//	outputs ─ CheckOutput, ledger > accumulator  (exactly once each)
//	accumulator ─ Answer ──> what the user reads (at the edge, whenever asked)
//
// A function is a pure calculation: the same input and interval give the same
// output on every machine, however the units are cut. That is what lets the
// platform run an interval twice and count it once.
package function

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/polymath-run/polymath"
)

// Function is one named calculation. Its methods are safe for concurrent use
// and, but for Run, take well under a millisecond and do no I/O.
type Function interface {
	// Describe says what the function is for people and for flag parsers.
	Describe() Description

	// Plan checks the input, a JSON object, and cuts it into units. It
	// returns the input in canonical form, which is what Run and Answer get:
	// equal requests have equal canonical inputs. A bad input is an
	// InvalidArgument error that names the field, what was wrong with it and
	// what would be right.
	Plan(input []byte) (canonical []byte, plan polymath.Plan, err error)

	// Run works on the units of task.Interval and returns their output in
	// the form of the plan's reducer. It calls task.Progress often enough
	// to be seen alive (every 100 ms or so) unless the plan says LongestRun,
	// and returns ctx's error soon after ctx ends (20 ms or so). An error
	// says which unit was at fault where that can be known.
	Run(ctx context.Context, task Task) (output []byte, err error)

	// Answer turns the accumulator of a finished job into what the user
	// asked for: one JSON value. Integers beyond 2^53 are strings. It also
	// takes the accumulator of a job that skipped dead units.
	Answer(input, accumulator []byte) (json.RawMessage, error)
}

// Task is a leased interval of a job's units.
type Task struct {
	Input    []byte // canonical, as Plan returned it
	Interval polymath.Interval
	// Progress says how many units of the interval are behind us, counted
	// from its start. It never blocks and may be called from one goroutine
	// at a time. It is never nil.
	Progress func(done uint64)
}

// Kind says what the units of a function are made from.
type Kind string

// The input kinds.
const (
	Range Kind = "range" // the units are stretches of a range of numbers
	List  Kind = "list"  // the units are the elements of a list
)

// Type is the type of a parameter.
type Type string

// The parameter types. Integer and Decimal are exact and of any size.
const (
	Integer  Type = "integer"
	Decimal  Type = "decimal"
	Text     Type = "text"
	Flag     Type = "flag"
	Integers Type = "integers" // a list of integers
	Pairs    Type = "pairs"    // a list of pairs of decimals
	Duration Type = "duration" // Go syntax: 1.5s, 200ms
)

// Param is one field of the input object and one flag of the command line.
type Param struct {
	Name       string // JSON key; --name on the command line
	Type       Type
	Doc        string // one line: what it is, unit and range
	Default    string // as typed on the command line; "" with Required: none
	Required   bool
	Positional bool     // may also be given as an argument, in the order of Params
	Choices    []string // all the values there are, if they are few; the first is the Default
}

// Description is what a function says about itself.
type Description struct {
	Name    string // lower case, unique
	Summary string // one line
	Kind    Kind
	Params  []Param
	Unit    string // what one unit is, in words
	Cost    string // what a calculation costs, in words
	Example Example
	Dev     bool // offered only in development mode
}

// Example is one worked example; the conformance suite runs it.
type Example struct {
	Args   string // as typed after "polymath run NAME"
	Input  string // the same as JSON
	Answer string // JSON
}

// Set is the functions a node offers, by name.
type Set struct {
	byName map[string]Function
	names  []string
}

// NewSet makes a set of functions; two of one name are a programming error
// and panic.
func NewSet(functions ...Function) *Set {
	s := &Set{byName: make(map[string]Function, len(functions))}
	for _, f := range functions {
		name := f.Describe().Name
		if _, twice := s.byName[name]; twice {
			panic("function: two functions are called " + name)
		}
		s.byName[name] = f
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
	return s
}

// Names lists the functions of the set, sorted. The caller must not change it.
func (s *Set) Names() []string { return s.names }

// Find finds a function, or says that there is none of that name.
func (s *Set) Find(name string) (f Function, found bool) {
	f, found = s.byName[name]
	return f, found
}

// Get finds a function. The NotFound error for an unknown name lists the ones
// there are.
func (s *Set) Get(name string) (Function, error) {
	if f, ok := s.byName[name]; ok {
		return f, nil
	}
	return nil, polymath.Errorf(polymath.NotFound, "there is no function %.80q; there are %s",
		name, strings.Join(s.names, ", "))
}
