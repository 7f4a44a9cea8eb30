package input

import (
	"encoding/json"
	"fmt"

	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/lines"
	"github.com/polymath-run/polymath/internal/number"
)

// Numbers is the input of a function of whole numbers: one of them, or a list.
// Each is a unit.
type Numbers struct {
	One  bool
	List []number.Integer
}

// NumbersParams are the parameters n, which doc describes, and numbers, a list
// of up to most of them.
func NumbersParams(doc string, most int) []function.Param {
	return []function.Param{
		{Name: "n", Type: function.Integer, Doc: doc, Positional: true},
		{Name: "numbers", Type: function.Integers, Doc: fmt.Sprintf("instead of n: a list of up to %d numbers", most)},
	}
}

// ParseNumbers reads an object with at least the fields of NumbersParams among
// its params, and the numbers from it. check says what is wrong with one.
func ParseNumbers(data []byte, params []function.Param, check func(number.Integer) error) (Object, Numbers, error) {
	o, err := Parse(data, params)
	if err != nil {
		return nil, Numbers{}, err
	}
	in, err := o.numbers(check)
	return o, in, err
}

func (o Object) numbers(check func(number.Integer) error) (Numbers, error) {
	if o.Has("n") == o.Has("numbers") {
		return Numbers{}, bad(`give one of the fields "n" and "numbers"`)
	}
	if o.Has("n") {
		n, err := checked(o["n"], check)
		return Numbers{One: true, List: []number.Integer{n}}, Wrap(err, "n")
	}
	elements, err := o.List("numbers")
	if err != nil {
		return Numbers{}, err
	}
	list := make([]number.Integer, len(elements))
	for i, e := range elements {
		if list[i], err = checked(e, check); err != nil {
			return Numbers{}, Wrap(err, Element("numbers", i))
		}
	}
	return Numbers{List: list}, nil
}

func checked(value json.RawMessage, check func(number.Integer) error) (n number.Integer, err error) {
	if err := n.UnmarshalJSON(value); err != nil {
		return n, err
	}
	return n, check(n)
}

// Fields are the numbers as they stand in a canonical input, to be embedded
// in it.
type Fields struct {
	N       *number.Integer  `json:"n,omitempty"`
	Numbers []number.Integer `json:"numbers,omitempty"`
}

// Fields gives the numbers as they were given.
func (in Numbers) Fields() Fields {
	if in.One {
		return Fields{N: &in.List[0]}
	}
	return Fields{Numbers: in.List}
}

// Answer gives the answers to the numbers, one or a list, from the collected
// lines of their units. Each is what answer makes of the value of a unit; null
// stands for a number whose unit is dead.
func (in Numbers) Answer(accumulator []byte, answer func(value string) (any, error)) (json.RawMessage, error) {
	values, err := lines.Read(accumulator, uint64(len(in.List)))
	if err != nil {
		return nil, err
	}
	answers := make([]any, len(values))
	for i, v := range values {
		if v == "" {
			continue
		}
		if answers[i], err = answer(v); err != nil {
			return nil, err
		}
	}
	if in.One {
		return json.Marshal(answers[0])
	}
	return json.Marshal(answers)
}
