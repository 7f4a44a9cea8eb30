package main

import (
	"encoding/json"
	"testing"

	"github.com/spf13/pflag"

	"github.com/polymath-run/polymath/internal/function/all"
)

// TestNoParameterHidesAnOption keeps a function from having a parameter whose
// flag would stand in the place of one of the program's own.
func TestNoParameterHidesAnOption(t *testing.T) {
	s := &settings{surroundings: surroundings{lookup: func(string) (string, bool) { return "", false }}}
	cmd, _, err := rootCommand(s).Find([]string{runName})
	if err != nil {
		t.Fatal(err)
	}
	options := pflag.NewFlagSet("", pflag.ContinueOnError)
	options.AddFlagSet(cmd.PersistentFlags())
	options.AddFlagSet(cmd.InheritedFlags())
	if options.Lookup("data") == nil || options.Lookup("queue") == nil {
		t.Fatal("the options were not found")
	}
	set := all.Set(true)
	for _, name := range set.Names() {
		f, err := set.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range f.Describe().Params {
			if options.Lookup(p.Name) != nil || p.Name == "help" {
				t.Errorf("%s has a parameter --%s, which is an option of run", name, p.Name)
			}
		}
	}
}

// TestExamplesRun types the example of every function.
func TestExamplesRun(t *testing.T) {
	set := all.Set(true)
	data := t.TempDir()
	for _, name := range set.Names() {
		t.Run(name, func(t *testing.T) {
			f, err := set.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			example := f.Describe().Example
			for _, args := range [][]string{words(example.Args), {"--input", example.Input}} {
				p := program{args: append([]string{"run", name, "--dev", "--output", "json", "--data", data}, args...)}
				if code := p.run(t); code != 0 {
					t.Fatalf("exit code %d: %s", code, &p.stderr)
				}
				var out result
				if err := json.Unmarshal(p.stdout.Bytes(), &out); err != nil {
					t.Fatal(err)
				}
				if string(out.Result) != example.Answer {
					t.Errorf("%q gave %s, want %s", args, out.Result, example.Answer)
				}
			}
		})
	}
}
