// Package worker makes a program a worker of a Polymath server: it registers
// functions of its own, takes leases on parts of jobs, and reports what came of
// them.
//
//	err := worker.Run(ctx, worker.Options{Server: "http://127.0.0.1:8080"},
//		worker.Call("greet", func(ctx context.Context, input json.RawMessage) (any, error) {
//			return "hello", nil
//		}))
//
// A function must be a pure calculation: the platform may run the same part
// twice, on two machines, and counts it once.
package worker

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/remote"
	"github.com/polymath-run/polymath/internal/link"
)

// Options are the choices of a worker.
type Options struct {
	Server string // the URL of the server
	// Name is for people; "" is host name and process id.
	Name string
	// Parallel is how many parts are worked on at a time, at most
	// polymath.MaxSlots; 0: as many as there are cores.
	Parallel int
	// Each is how long one part should take; 0 is 250 ms. The server cuts
	// parts by it, and by how fast this worker turns out to be.
	Each time.Duration
	// TLS is how to trust a server whose URL is https; nil: as the system does.
	TLS *tls.Config
	// Lost, if it is there, hears why a connection broke; the worker connects
	// again by itself. It must not block.
	Lost func(error)
}

// Func is a function that a worker offers, made by Call, List or Range.
type Func struct {
	declaration remote.Declaration
	run         func(ctx context.Context, f remote.Function, task function.Task) ([]byte, error)
}

// Summary says in one line what the function does, for those who choose one.
func (f Func) Summary(text string) Func {
	f.declaration.Summary = text
	return f
}

// Cost says about how long a unit takes one core: an element of a list, a
// number of a range. It lets the first parts be cut well.
func (f Func) Cost(unit time.Duration) Func {
	f.declaration.Micros = uint64(max(unit.Microseconds(), 1))
	return f
}

// Silent says that a part may take so long, up to ten minutes, without a sign
// of progress. Otherwise a part that makes none for 30 s is given to another
// worker.
func (f Func) Silent(longest time.Duration) Func {
	f.declaration.LongestRun = uint32(max((longest + time.Second - 1).Truncate(time.Second).Seconds(), 1))
	return f
}

// Call makes a function of one unit: its input object to one JSON value.
func Call(name string, run func(ctx context.Context, input json.RawMessage) (any, error)) Func {
	return Func{
		declaration: remote.Declaration{Name: name, Kind: remote.Call, Reducer: polymath.Collect},
		run: func(ctx context.Context, _ remote.Function, task function.Task) ([]byte, error) {
			answer, err := run(ctx, task.Input)
			if err != nil {
				return nil, err
			}
			return remote.Value(answer)
		},
	}
}

// List makes a function of the elements of a list: the input is
// {"items": [...]}, and the answer is the list of what run made of each.
func List(name string, run func(ctx context.Context, item json.RawMessage) (any, error)) Func {
	return Func{
		declaration: remote.Declaration{Name: name, Kind: remote.List, Reducer: polymath.Collect},
		run: func(ctx context.Context, _ remote.Function, task function.Task) ([]byte, error) {
			return runList(ctx, task, run)
		},
	}
}

func runList(ctx context.Context, task function.Task, run func(context.Context, json.RawMessage) (any, error)) ([]byte, error) {
	items, err := remote.Items(task.Input)
	if err != nil {
		return nil, err
	}
	var out []byte
	for unit := task.Interval.From; unit < task.Interval.To; unit++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		answer, err := run(ctx, items[unit])
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", unit, err)
		}
		value, err := remote.Value(answer)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", unit, err)
		}
		out = remote.Line(out, unit, value)
		task.Progress(unit - task.Interval.From + 1)
	}
	return out, nil
}

// Reducer is how the numbers of the parts of a range become one.
type Reducer = polymath.Reducer

// The reducers of a range. A count or a sum may grow to any size.
const (
	Count = polymath.Count
	Sum   = polymath.Sum
	Min   = polymath.Min
	Max   = polymath.Max
)

// Span is a part of a range: the numbers From to To, both included.
type Span struct {
	From, To uint64
	// Progress says how many of them are done. It never blocks. Call it every
	// 100 ms or so: a part without progress is given to another worker.
	Progress func(done uint64)
}

// Range makes a function of the numbers of a range: the input is
// {"from": 0, "to": 1000}, run gets a part of it and returns its count, sum,
// minimum or maximum.
func Range(name string, r Reducer, run func(ctx context.Context, s Span) (int64, error)) Func {
	return Func{
		declaration: remote.Declaration{Name: name, Kind: remote.Range, Reducer: r},
		run: func(ctx context.Context, f remote.Function, task function.Task) ([]byte, error) {
			first, err := f.First(task.Input)
			if err != nil {
				return nil, err
			}
			n, err := run(ctx, Span{
				From: first + task.Interval.From, To: first + task.Interval.To - 1, Progress: task.Progress,
			})
			return remote.Number(n), err
		},
	}
}

// offered is a Func as the worker's loop runs it.
type offered struct {
	remote.Function
	run func(context.Context, remote.Function, function.Task) ([]byte, error)
}

// Run implements function.Function.
func (o offered) Run(ctx context.Context, task function.Task) ([]byte, error) {
	return o.run(ctx, o.Function, task)
}

// Run works for a server until ctx ends, then hands back what it holds. It
// connects again whenever the connection breaks. The error says that the
// server cannot be reached at the start, or refuses this worker.
func Run(ctx context.Context, o Options, functions ...Func) error {
	set, declared, err := offer(functions)
	if err != nil {
		return err
	}
	work := link.Work{
		Server: o.Server, Name: o.Name, Functions: set, Declared: declared, Parallel: o.Parallel, Each: o.Each, TLS: o.TLS, Lost: o.Lost,
	}
	return work.Run(ctx)
}

// offer makes the set of the functions, and what the server is told of them.
func offer(functions []Func) (*function.Set, []*polymathv1.Declaration, error) {
	if len(functions) == 0 {
		return nil, nil, polymath.Errorf(polymath.InvalidArgument, "a worker needs at least one function")
	}
	if len(functions) > remote.MaxFunctions {
		return nil, nil, polymath.Errorf(polymath.InvalidArgument, "a worker offers %d functions, more than the %d a server takes", len(functions), remote.MaxFunctions)
	}
	var all []function.Function
	var declared []*polymathv1.Declaration
	seen := make(map[string]bool)
	for _, f := range functions {
		d := f.declaration
		known, err := remote.New(d)
		if err != nil {
			return nil, nil, err
		}
		if seen[d.Name] {
			return nil, nil, polymath.Errorf(polymath.InvalidArgument, "two functions are called %s", d.Name)
		}
		seen[d.Name] = true
		all = append(all, offered{known, f.run})
		declared = append(declared, &polymathv1.Declaration{
			Name: d.Name, Summary: d.Summary, Kind: string(d.Kind), Reducer: d.Reducer.String(), Micros: d.Micros, LongestRun: d.LongestRun,
		})
	}
	return function.NewSet(all...), declared, nil
}
