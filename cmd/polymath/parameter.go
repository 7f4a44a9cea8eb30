package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
)

// parameter is the flag of one parameter of a function. It takes any text:
// what is right is known to the function alone, and its refusals name the
// field.
type parameter struct {
	param function.Param
	text  string
}

// String implements pflag.Value.
func (p *parameter) String() string { return p.text }

// Set implements pflag.Value.
func (p *parameter) Set(text string) error {
	p.text = text
	return nil
}

// Type implements pflag.Value: the word for the value in the help.
func (p *parameter) Type() string {
	if p.param.Type == function.Flag {
		return "bool"
	}
	return string(p.param.Type)
}

// isParameter reports whether a flag is one of a function's.
func isParameter(f *pflag.Flag) bool {
	_, is := f.Value.(*parameter)
	return is
}

// addParameters makes flags of the parameters of a function.
func addParameters(cmd *cobra.Command, params []function.Param) {
	for _, p := range params {
		doc := p.Doc
		switch {
		case p.Required:
			doc += " (required)"
		case p.Default != "":
			doc += " (default " + p.Default + ")"
		}
		f := cmd.Flags().VarPF(&parameter{param: p}, p.Name, "", doc)
		if p.Type == function.Flag {
			f.NoOptDefVal = "true"
		}
		if len(p.Choices) > 0 {
			complete(cmd, p.Name, p.Choices...)
		}
	}
}

// fields gathers what was given of the parameters, by flag or by argument.
func fields(flags *pflag.FlagSet, d function.Description, args []string) (map[string]parameter, error) {
	given := make(map[string]parameter)
	flags.Visit(func(f *pflag.Flag) {
		if p, is := f.Value.(*parameter); is {
			given[p.param.Name] = *p
		}
	})
	places := positional(d)
	if len(args) > len(places) {
		return nil, polymath.Errorf(polymath.InvalidArgument, "%s takes %s, not %d arguments%s",
			d.Name, arguments(places), len(args), listHint(d))
	}
	for i, text := range args {
		p := places[i]
		if _, twice := given[p.Name]; twice {
			return nil, polymath.Errorf(polymath.InvalidArgument, "%q is given twice: as an argument and as --%s", p.Name, p.Name)
		}
		if hint := listHint(d); hint != "" && p.Type != function.Integers && p.Type != function.Pairs && strings.ContainsAny(text, ",;") {
			return nil, polymath.Errorf(polymath.InvalidArgument, "%s is %.40q, which is no single number%s", p.Name, text, hint)
		}
		given[p.Name] = parameter{p, text}
	}
	return given, nil
}

// positional are the parameters that may be given as arguments, in order.
func positional(d function.Description) []function.Param {
	var places []function.Param
	for _, p := range d.Params {
		if p.Positional {
			places = append(places, p)
		}
	}
	return places
}

// arguments says in words which arguments there may be.
func arguments(places []function.Param) string {
	if len(places) == 0 {
		return "flags only"
	}
	names := make([]string, len(places))
	for i, p := range places {
		names[i] = p.Name
	}
	if len(names) == 1 {
		return "one argument, " + names[0]
	}
	return fmt.Sprintf("at most %d arguments, %s", len(names), strings.Join(names, " and "))
}

// listHint says how to give more values than there are arguments.
func listHint(d function.Description) string {
	for _, p := range d.Params {
		switch p.Type {
		case function.Integers:
			return "; give a list as --" + p.Name + " 2,3,5"
		case function.Pairs:
			return "; give a list as --" + p.Name + " '1,2; 3,4'"
		}
	}
	return ""
}

// inputObject is the JSON object a function is called with.
func (s *settings) inputObject(given map[string]parameter) ([]byte, error) {
	object := make(map[string]any, len(given))
	for name, p := range given {
		value, err := s.value(p)
		if err != nil {
			return nil, err
		}
		object[name] = value
	}
	data, err := json.Marshal(object)
	if err != nil {
		return nil, polymath.Errorf(polymath.Internal, "write the input: %w", err)
	}
	return data, nil
}

// value is one field of the object. Numbers stay text: nothing may round them.
func (s *settings) value(p parameter) (any, error) {
	switch p.param.Type {
	case function.Flag:
		switch p.text {
		case "true", "false":
			return p.text == "true", nil
		}
		return nil, polymath.Errorf(polymath.InvalidArgument, "--%s is %.40q: it must be true or false", p.param.Name, p.text)
	case function.Integers:
		text, err := s.readArgument(p.text)
		return split(text), err
	case function.Pairs:
		text, err := s.readArgument(p.text)
		return pairs(text), err
	default:
		return p.text, nil
	}
}

// split reads a list: "2,3,5", one a line, or a JSON array.
func split(text string) any {
	if array, is := jsonArray(text); is {
		return array
	}
	return words(text)
}

// pairs reads a list of pairs: "1,2; 3,4", one pair a line, or a JSON array.
func pairs(text string) any {
	if array, is := jsonArray(text); is {
		return array
	}
	all := [][]string{}
	for pair := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == '\n' }) {
		if numbers := words(pair); len(numbers) > 0 {
			all = append(all, numbers)
		}
	}
	return all
}

// words splits at commas and white space. It never returns nil.
func words(text string) []string {
	return append([]string{}, strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })...)
}

// jsonArray passes a JSON array on as it is.
func jsonArray(text string) (json.RawMessage, bool) {
	text = strings.TrimSpace(text)
	return json.RawMessage(text), strings.HasPrefix(text, "[") && json.Valid([]byte(text))
}
