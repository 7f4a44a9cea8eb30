package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/all"
)

// functionsCommand lists the functions, or tells all about one.
func functionsCommand(s *settings) *cobra.Command {
	o := &remote{settings: s}
	cmd := &cobra.Command{
		Use:   "functions [NAME]",
		Short: "List the functions, or describe one",
		Long: `List the functions that are built in, or describe one. With --server those of a
server, with the ones that only its workers have.`,
		Example: `  polymath functions
  polymath functions primes
  polymath functions --output json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return polymath.Errorf(polymath.InvalidArgument, "functions takes one name at most, not %d arguments", len(args))
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return all.Set(s.dev).Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.server == "" {
				return s.listFunctions(args)
			}
			return o.ask(cmd.Context(), func(c *client.Client) error { return o.functionsThere(cmd.Context(), c, args) })
		},
	}
	o.flag(cmd.Flags(), "")
	return cmd
}

// functionsThere lists the functions of a server, or describes one.
func (o *remote) functionsThere(ctx context.Context, c *client.Client, args []string) error {
	if len(args) > 0 {
		f, err := c.Function(ctx, args[0])
		if err != nil {
			return err
		}
		if o.output == outputJSON {
			return writeLine(o.stdout, f)
		}
		fields := []field{{"name", f.Name}, {"summary", f.Summary}, {"kind", f.Kind}, {"unit", f.Unit}, {"cost", f.Cost}, {"workers", fmt.Sprint(f.Workers)}}
		for _, p := range f.Params {
			fields = append(fields, field{"input " + p.Name, p.Type + ": " + p.Doc})
		}
		return o.printFields(fields)
	}
	list, err := c.Functions(ctx)
	if err != nil {
		return err
	}
	table := grid{settings: o.settings, heading: "FUNCTION\tKIND\tWORKERS\tSUMMARY"}
	for i := range list {
		f := &list[i]
		if o.output == outputJSON {
			if err := writeLine(o.stdout, f); err != nil {
				return err
			}
			continue
		}
		table.row(f.Name, f.Kind, f.Workers, f.Summary)
	}
	return table.flush()
}

func (s *settings) listFunctions(args []string) error {
	set := all.Set(s.dev)
	names := set.Names()
	if len(args) > 0 {
		if _, err := set.Get(args[0]); err != nil {
			if _, err := all.Set(true).Get(args[0]); err == nil {
				return forTrials(args[0])
			}
			return unknown("function", args[0], names)
		}
		names = args
	}
	descriptions := make([]function.Description, len(names))
	for i, name := range names {
		f, err := set.Get(name)
		if err != nil {
			return err
		}
		descriptions[i] = f.Describe()
	}
	switch {
	case s.output == outputJSON && len(args) > 0:
		return writeJSON(s.stdout, describe(descriptions[0]))
	case s.output == outputJSON:
		list := make([]description, len(descriptions))
		for i, d := range descriptions {
			list[i] = describe(d)
		}
		return writeJSON(s.stdout, list)
	case len(args) > 0:
		_, err := fmt.Fprintf(s.stdout, "%s\n\nExample\n  polymath run %s %s\n  %s\n",
			details(descriptions[0]), names[0], descriptions[0].Example.Args, descriptions[0].Example.Answer)
		return err
	default:
		return table(s.stdout, descriptions)
	}
}

// table prints one function a line.
func table(w io.Writer, list []function.Description) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range list {
		if _, err := fmt.Fprintf(t, "%s\t%s\tpolymath run %s %s\n", d.Name, d.Summary, d.Name, d.Example.Args); err != nil {
			return err
		}
	}
	return t.Flush()
}

// usage is how a function is called: its name and arguments.
func usage(d function.Description) string {
	words := []string{d.Name}
	for _, p := range positional(d) {
		words = append(words, "["+strings.ToUpper(p.Name)+"]")
	}
	return strings.Join(words, " ")
}

// details is all there is to say about a function but its example.
func details(d function.Description) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\nParameters\n", d.Name, d.Summary)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, p := range d.Params {
		note := ""
		switch {
		case p.Required:
			note = " (required)"
		case p.Default != "":
			note = " (default " + p.Default + ")"
		}
		_, _ = fmt.Fprintf(t, "  --%s\t%s\t%s%s\n", p.Name, p.Type, p.Doc, note)
	}
	_ = t.Flush() // a strings.Builder never fails
	fmt.Fprintf(&b, "\nUnit  %s\nCost  %s", d.Unit, d.Cost)
	return b.String()
}

// description is a function as --output json prints it.
type description struct {
	Name    string      `json:"name"`
	Summary string      `json:"summary"`
	Kind    string      `json:"kind"`
	Params  []paramJSON `json:"params"`
	Unit    string      `json:"unit"`
	Cost    string      `json:"cost"`
	Example exampleJSON `json:"example"`
}

type paramJSON struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Doc        string `json:"doc"`
	Default    string `json:"default,omitempty"`
	Required   bool   `json:"required"`
	Positional bool   `json:"positional"`
}

type exampleJSON struct {
	Args   string          `json:"args"`
	Input  json.RawMessage `json:"input"`
	Answer json.RawMessage `json:"answer"`
}

func describe(d function.Description) description {
	out := description{
		Name: d.Name, Summary: d.Summary, Kind: string(d.Kind), Unit: d.Unit, Cost: d.Cost,
		Example: exampleJSON{d.Example.Args, json.RawMessage(d.Example.Input), json.RawMessage(d.Example.Answer)},
	}
	for _, p := range d.Params {
		out.Params = append(out.Params, paramJSON{p.Name, string(p.Type), p.Doc, p.Default, p.Required, p.Positional})
	}
	return out
}

// writeJSON prints a value for programs and for people who look at it.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// writeLine prints a value for programs on one line. What is text stays as it
// is: < stays <.
func writeLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
