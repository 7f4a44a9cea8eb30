// Package remote is the side of a function that a server needs when only
// workers in other processes have its code: it plans jobs and reads answers by
// what the workers declared.
//
//	declared kind   units                         what a worker returns for each
//	call            one                           a JSON value, the answer
//	list            the elements of "items"       one JSON value an element
//	range           the numbers "from" to "to"    a number, reduced to one
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/function/lines"
	"github.com/polymath-run/polymath/internal/number"
)

// Kind says what the units of a declared function are.
type Kind string

// The kinds.
const (
	Call  Kind = "call"
	List  Kind = "list"
	Range Kind = "range"
)

// Bounds of a declaration.
const (
	MaxFunctions    = 500 // that workers may declare at one server
	MaxSummaryBytes = 200
	MaxMicros       = 86_400_000_000 // a unit of a day
	MaxLongestRun   = 600            // seconds without a sign of progress
)

// Declaration is what workers say of a function of theirs.
type Declaration struct {
	Name       string // lower case letters, digits, - and _; a letter first
	Summary    string // one line
	Kind       Kind
	Reducer    polymath.Reducer // of a range: count, sum, min or max; else collect
	Micros     uint64           // what a unit costs one core, in microseconds; 0: 1
	LongestRun uint32           // seconds it may go without progress; 0: as usual
}

// Check is an InvalidArgument error for a declaration that cannot be used.
func (d *Declaration) Check() error {
	switch {
	case !validName(d.Name):
		return bad("a function's name has 1 to %d lower case letters, digits, - and _, a letter first, not %.80q", polymath.MaxNameBytes, d.Name)
	case len(d.Summary) > MaxSummaryBytes:
		return bad("the summary of %s has %d bytes, more than %d", d.Name, len(d.Summary), MaxSummaryBytes)
	case d.Summary != "" && !printable(d.Summary):
		return bad("the summary of %s is no line of UTF-8 characters that print: %.80q", d.Name, d.Summary)
	case d.Micros > MaxMicros:
		return bad("a unit of %s takes %d microseconds, more than a day: cut it smaller", d.Name, d.Micros)
	case d.LongestRun > MaxLongestRun:
		return bad("%s wants %d s without progress, more than %d", d.Name, d.LongestRun, MaxLongestRun)
	case d.Kind != Call && d.Kind != List && d.Kind != Range:
		return bad("the kind of %s is %.40q: it must be call, list or range", d.Name, d.Kind)
	case d.Kind != Range && d.Reducer != polymath.Collect:
		return bad("%s is of kind %s: its reducer must be collect", d.Name, d.Kind)
	case d.Kind == Range && (d.Reducer < polymath.Count || d.Reducer > polymath.Max):
		return bad("%s is of kind range: its reducer must be count, sum, min or max", d.Name)
	}
	return nil
}

func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '_') {
			return false
		}
	}
	return s != "" && len(s) <= polymath.MaxNameBytes
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func bad(format string, args ...any) error {
	return polymath.Errorf(polymath.InvalidArgument, format, args...)
}

// Function is a declared function. It cannot Run.
type Function struct{ Declaration }

// New makes the function of a declaration.
func New(d Declaration) (Function, error) { return Function{d}, d.Check() }

// Describe implements function.Function.
func (f Function) Describe() function.Description {
	d := function.Description{Name: f.Name, Summary: f.Summary, Kind: function.List, Unit: "one call", Cost: "one lease"}
	switch f.Kind {
	case List:
		d.Params = []function.Param{{Name: "items", Type: function.Text, Doc: "the list of JSON values to work on", Required: true}}
		d.Unit, d.Cost = "one element", "grows with the number of elements"
		d.Example = function.Example{Args: `--input '{"items":[1,2]}'`, Input: `{"items":[1,2]}`}
	case Range:
		d.Kind = function.Range
		d.Params = []function.Param{
			{Name: "from", Type: function.Integer, Doc: "the first number, from 0", Default: "0"},
			{Name: "to", Type: function.Integer, Doc: "the last number, below 2^64-1", Required: true},
		}
		d.Unit, d.Cost = "one number", "grows with the width of the range"
		d.Example = function.Example{Args: "--to 1000", Input: `{"to":1000}`}
	default:
		d.Example = function.Example{Args: `--input '{}'`, Input: `{}`}
	}
	return d
}

// Plan implements function.Function.
func (f Function) Plan(data []byte) (canonical []byte, plan polymath.Plan, err error) {
	switch f.Kind {
	case List:
		canonical, plan.Units, err = planList(data)
	case Range:
		canonical, plan.Units, err = planRange(data, f.Describe().Params)
	default:
		canonical, err = compact(data)
		plan.Units = 1
	}
	if err != nil {
		return nil, polymath.Plan{}, err
	}
	if len(canonical) > polymath.MaxInlineBytes {
		return nil, polymath.Plan{}, polymath.Errorf(polymath.TooLarge,
			"the input has %d bytes, more than %d: split it over several jobs", len(canonical), polymath.MaxInlineBytes)
	}
	plan.Reducer, plan.LongestRun = f.Reducer, f.LongestRun
	if plan.Units > 0 && f.Micros > 1 && plan.Units <= ^uint64(0)/f.Micros {
		plan.Costs = []polymath.CostPoint{{Unit: plan.Units, Micros: plan.Units * f.Micros}}
	}
	return canonical, plan, nil
}

// compact is a JSON object without spaces. Its fields are the worker's affair.
func compact(data []byte) ([]byte, error) {
	if len(bytes.TrimLeft(data, " \t\r\n")) == 0 {
		return []byte("{}"), nil
	}
	if data[0] == '{' && plain(data) {
		return data, nil
	}
	var b bytes.Buffer
	b.Grow(len(data))
	if err := json.Compact(&b, data); err != nil {
		return nil, bad("the input is no JSON: %w", err)
	}
	if b.Bytes()[0] != '{' {
		return nil, bad("the input must be a JSON object, such as {}")
	}
	return b.Bytes(), nil
}

func planList(data []byte) (canonical []byte, units uint64, err error) {
	if canonical, err = compact(data); err != nil {
		return nil, 0, err
	}
	items, err := Items(canonical)
	return canonical, uint64(len(items)), err
}

// Items are the elements of the input of a list.
func Items(data []byte) ([]json.RawMessage, error) {
	var in struct {
		Items json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, bad("the input must be a JSON object, such as {\"items\":[1,2]}")
	}
	if in.Items == nil {
		return nil, bad(`field "items" is missing: the list of JSON values to work on`)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(in.Items, &items); err != nil || items == nil {
		return nil, bad(`field "items" must be a list, not %.40s`, in.Items)
	}
	if len(items) > input.MaxElements {
		return nil, bad(`field "items" has %d elements, more than %d: split it over several jobs`, len(items), input.MaxElements)
	}
	return items, nil
}

// bounds is the canonical input of a range.
type bounds struct {
	From number.Integer `json:"from"`
	To   number.Integer `json:"to"`
}

func planRange(data []byte, params []function.Param) (canonical []byte, units uint64, err error) {
	if len(bytes.TrimLeft(data, " \t\r\n")) == 0 {
		data = []byte("{}")
	}
	from, to, err := readRange(data, params)
	if err != nil {
		return nil, 0, err
	}
	canonical, err = input.Canonical(bounds{number.FromUint64(from), number.FromUint64(to)})
	return canonical, to - from + 1, err
}

func readRange(data []byte, params []function.Param) (from, to uint64, err error) {
	o, err := input.Parse(data, params)
	if err != nil {
		return 0, 0, err
	}
	const most = 1<<64 - 2 // so that the number of units is one, too
	if o.Has("from") {
		if from, err = o.Uint64("from", 0, most); err != nil {
			return 0, 0, err
		}
	}
	if to, err = o.Uint64("to", 0, most); err != nil {
		return 0, 0, err
	}
	if from > to {
		return 0, 0, bad("the range is reversed: from is %d and to is %d", from, to)
	}
	return from, to, nil
}

// First is the number of unit 0 of a range.
func (f Function) First(canonical []byte) (uint64, error) {
	from, _, err := readRange(canonical, f.Describe().Params)
	return from, err
}

// Run implements function.Function; the code is with the workers.
func (f Function) Run(context.Context, function.Task) ([]byte, error) {
	return nil, polymath.Errorf(polymath.Unavailable, "function %s runs on the workers that declared it, not here", f.Name)
}

// Answer implements function.Function.
func (f Function) Answer(in, accumulator []byte) (json.RawMessage, error) {
	return Answer(f.Kind, in, accumulator)
}

// Answer reads the answer of a job of a kind.
func Answer(k Kind, in, accumulator []byte) (json.RawMessage, error) {
	switch k {
	case Range:
		return rangeAnswer(accumulator)
	case List:
		items, err := Items(in)
		if err != nil {
			return nil, err
		}
		return listAnswer(accumulator, uint64(len(items)))
	default:
		if len(accumulator) == 0 { // its one unit is dead
			return json.RawMessage("null"), nil
		}
		return valid(accumulator)
	}
}

// valid holds an answer against what whoever asks was promised: one JSON value.
// Workers in other languages may return anything.
func valid(answer []byte) (json.RawMessage, error) {
	if !validJSON(answer) {
		return nil, polymath.Errorf(polymath.Conflict, "the job has no answer to read: a worker returned what is no JSON: %.80q", answer)
	}
	return answer, nil
}

// Orphan reads the answer of a job whose function nobody declares any more: by
// its reducer, and whether it collected lines.
func Orphan(job *polymath.Job) (json.RawMessage, error) {
	if job.Reducer != polymath.Collect {
		return Answer(Range, job.Input, job.Result)
	}
	if list, err := Answer(List, job.Input, job.Result); err == nil {
		return list, nil
	}
	if answer, err := Answer(Call, job.Input, job.Result); err == nil {
		return answer, nil
	}
	return json.Marshal(string(job.Result)) // of a function of another program version
}

func rangeAnswer(accumulator []byte) (json.RawMessage, error) {
	if len(accumulator) == 0 { // a minimum of nothing
		return json.RawMessage("null"), nil
	}
	n, err := number.ParseInteger(string(accumulator))
	if err != nil {
		return nil, polymath.Errorf(polymath.Internal, "the accumulator is no number: %w", err)
	}
	return json.Marshal(n)
}

func listAnswer(accumulator []byte, units uint64) (json.RawMessage, error) {
	values, err := lines.Read(accumulator, units)
	if err != nil {
		return nil, polymath.Errorf(polymath.Conflict, "the job has no answer to read: a worker returned what is no list: %w", err)
	}
	answer := make([]byte, 0, len(accumulator)+int(units)+2)
	answer = append(answer, '[')
	for i, v := range values {
		if i > 0 {
			answer = append(answer, ',')
		}
		if v == "" { // a unit the answer goes without
			v = "null"
		}
		answer = append(answer, v...)
	}
	return valid(append(answer, ']'))
}

// Value is a unit's output in the form the kind wants: compact JSON.
func Value(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, bad("the answer cannot be written as JSON: %w", err)
	}
	return data, nil
}

// Line is the output of an element of a list.
func Line(to []byte, unit uint64, value []byte) []byte { return lines.Append(to, unit, string(value)) }

// Number is the output of an interval of a range.
func Number(n int64) []byte { return strconv.AppendInt(nil, n, 10) }
