package house

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layer is a height in the one direction imports point: a package imports
// packages of lower layers, and none of its own.
type layer int

const (
	vocabulary layer = iota // words: the root package
	port                    // what the core asks of the world, and pure parts all share
	shared                  // what the adapters of one port have in common
	adapter                 // one answer to a port, or one part of the core
	assembly                // adapters made of adapters
	node                    // use cases and loops over the ports
	service                 // use cases as people ask for them: functions planned, answers read
	face                    // what users and other programs talk to
	app                     // options, wiring, shutdown; and the simulated whole
	command                 // main packages
	bench                   // measures the product, in a module of its own
)

// row says where one package stands.
type row struct {
	pkg   string // its directory; "" is the root package
	layer layer
	kit   bool     // a test kit: only tests, other kits, the bench and internal/sim import it
	only  []string // where not nil, the only packages of ours it imports
}

// layers is the order of the house. A row may stand before its package does.
var layers = []row{
	{pkg: "", layer: vocabulary},
	{pkg: "api/polymathv1", layer: vocabulary},
	{pkg: "api/polymathv1/polymathv1connect", layer: port},

	{pkg: "api", layer: port, only: []string{""}},
	{pkg: "internal/disk", layer: port},
	{pkg: "internal/journal", layer: port},
	{pkg: "internal/function", layer: port},
	{pkg: "internal/event", layer: port},
	{pkg: "internal/number", layer: port},
	{pkg: "internal/primality", layer: port},
	{pkg: "internal/spelling", layer: port, only: []string{}},
	{pkg: "internal/function/lines", layer: port},

	{pkg: "internal/function/input", layer: shared},
	{pkg: "internal/certificate", layer: shared},
	{pkg: "internal/function/prime/sieve", layer: shared},

	{pkg: "internal/addresstest", layer: port, kit: true},
	{pkg: "internal/disk/disktest", layer: adapter, kit: true},
	{pkg: "internal/journal/journaltest", layer: adapter, kit: true},
	{pkg: "internal/function/functiontest", layer: adapter, kit: true},
	{pkg: "internal/ledger", layer: shared, only: []string{""}},
	{pkg: "internal/wal", layer: adapter},
	{pkg: "internal/checkpoint", layer: adapter},
	{pkg: "internal/archive", layer: adapter},
	{pkg: "internal/history", layer: adapter},
	{pkg: "internal/journal/sim", layer: adapter},
	{pkg: "internal/function/arithmetic", layer: adapter},
	{pkg: "internal/function/prime", layer: adapter},
	{pkg: "internal/function/primecount", layer: adapter},
	{pkg: "internal/function/factor", layer: adapter},
	{pkg: "internal/function/verified", layer: adapter},
	{pkg: "internal/function/montecarlo", layer: adapter},
	{pkg: "internal/function/trial", layer: adapter},
	{pkg: "internal/function/remote", layer: adapter},
	{pkg: "internal/balance/pick", layer: adapter, only: []string{}},
	{pkg: "internal/balance/recent", layer: shared, only: []string{}},
	{pkg: "internal/balance/descriptor", layer: shared, only: []string{}},
	{pkg: "internal/balance/guard", layer: adapter, only: []string{"internal/balance/recent"}},
	{pkg: "internal/balance/health", layer: adapter, only: []string{"", "internal/balance/descriptor", "internal/balance/recent"}},
	{pkg: "internal/balance/http1", layer: adapter, only: []string{}},
	{pkg: "internal/balance/forward", layer: assembly},
	{pkg: "internal/balance/forward/forwardtest", layer: node, kit: true},
	{pkg: "internal/balance", layer: node},
	{pkg: "internal/balance/discover", layer: adapter},
	{pkg: "internal/balance/discover/discovertest", layer: adapter, kit: true},
	{pkg: "internal/balance/limit", layer: node},
	{pkg: "internal/balance/limit/limittest", layer: service, kit: true},
	{pkg: "internal/balance/access", layer: node},
	{pkg: "internal/balance/settings", layer: service},
	{pkg: "internal/balance/admin", layer: face},

	{pkg: "internal/journal/local", layer: assembly},
	{pkg: "internal/function/all", layer: assembly},

	{pkg: "internal/node", layer: node},
	{pkg: "internal/worker", layer: assembly},
	{pkg: "internal/telemetry", layer: assembly},
	{pkg: "internal/catalog", layer: assembly},
	{pkg: "internal/wire", layer: assembly},

	{pkg: "internal/service", layer: service},
	{pkg: "internal/rpc", layer: face},

	// What users import: their programs carry nothing of the server's inside.
	{pkg: "internal/link", layer: node},
	{pkg: "client", layer: face, only: []string{"", "api", "api/polymathv1", "internal/link", "internal/wire"}},
	{pkg: "worker", layer: face, only: []string{"", "api/polymathv1", "internal/link", "internal/function", "internal/function/remote"}},

	{pkg: "internal/problem", layer: shared, only: []string{"", "api"}},
	{pkg: "internal/rest", layer: face},

	{pkg: "internal/sim", layer: app},
	{pkg: "internal/app", layer: app},
	{pkg: "cmd/polymath", layer: command},
	{pkg: "examples/worker-go", layer: command, only: []string{"worker"}},

	{pkg: "internal/house", layer: vocabulary},
	{pkg: "bench", layer: bench}, // with everything below it
}

// simulation is the one package of the product that test kits are part of.
const simulation = "internal/sim"

// testLibraries are for tests and test kits only.
var testLibraries = []string{
	"testing",
	"go.uber.org/goleak",
	"pgregory.net/rapid",
	"github.com/rogpeppe/go-internal/testscript",
}

// edge is one import that a file outside the tests spells.
type edge struct {
	path string // the importing file
	to   string // the imported package
}

// breaches says which imports go against the table, in words.
func breaches(table []row, edges []edge) []string {
	var out []string
	for _, e := range edges {
		if text := breach(table, e); text != "" {
			out = append(out, e.path+": "+text)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func breach(table []row, e edge) string {
	from, ok := place(table, directory(e.path))
	if !ok {
		return fmt.Sprintf("package %q has no layer: add it to the table in internal/house/layer_test.go", directory(e.path))
	}
	inner, ours := strings.CutPrefix(e.to, module)
	if !ours {
		return foreign(from, e.to)
	}
	inner = strings.TrimPrefix(inner, "/")
	to, ok := place(table, inner)
	switch {
	case !ok:
		return fmt.Sprintf("imports %q, which has no layer: add it to the table in internal/house/layer_test.go", inner)
	case to.kit && !from.kit && from.layer != bench && from.pkg != simulation:
		return fmt.Sprintf("imports %q, a test kit: only tests, kits, the bench and %s do", inner, simulation)
	case from.only != nil && !slices.Contains(from.only, inner):
		return fmt.Sprintf("imports %q: of ours, %q imports only %q", inner, from.pkg, from.only)
	case to.layer >= from.layer && from.layer != bench:
		return fmt.Sprintf("imports %q of layer %d from layer %d: imports point down", inner, to.layer, from.layer)
	default:
		return ""
	}
}

// foreign judges an import of a package that is not ours.
func foreign(from row, to string) string {
	standard := !strings.Contains(strings.Split(to, "/")[0], ".")
	switch {
	case from.layer == vocabulary && !standard:
		return fmt.Sprintf("imports %q: this package imports the standard library only", to)
	case slices.Contains(testLibraries, to) && !from.kit:
		return fmt.Sprintf("imports %q, which is for tests and test kits", to)
	default:
		return ""
	}
}

// place finds the row of a package.
func place(table []row, pkg string) (row, bool) {
	for _, r := range table {
		if r.pkg == pkg || r.layer == bench && strings.HasPrefix(pkg, r.pkg+"/") {
			return r, true
		}
	}
	return row{}, false
}

// TestImportsPointOneWay reads imports from the files and not from `go list`,
// so that files for other systems than this one are held to the table too.
func TestImportsPointOneWay(t *testing.T) {
	var edges []edge
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		for _, spec := range s.file.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatalf("%s: %v", s.path, err)
			}
			edges = append(edges, edge{s.path, to})
		}
	}
	for _, text := range breaches(layers, edges) {
		t.Error(text)
	}
}

func TestLayersCatchBreaches(t *testing.T) {
	for _, c := range []struct {
		name, path, to string
		want           string // a part of the report; "" where it is allowed
	}{
		{"down", "internal/wal/wal.go", module + "/internal/disk", ""},
		{"to the root", "internal/disk/disk.go", module, ""},
		{"standard library", "job.go", "encoding/json", ""},
		{"kit in the simulation", "internal/sim/sim.go", module + "/internal/disk/disktest", ""},
		{"kit on its port", "internal/journal/journaltest/suite.go", module + "/internal/journal", ""},
		{"test library in a kit", "internal/disk/disktest/suite.go", "testing", ""},
		{"bench on bench", "bench/core/main.go", module + "/bench/report", ""},
		{"bench on a kit", "bench/core/main.go", module + "/internal/disk/disktest", ""},
		{"bench on the product", "bench/core/main.go", module + "/internal/app", ""},

		{"up", "internal/journal/journal.go", module + "/internal/wal", "imports point down"},
		{"between adapters", "internal/archive/archive.go", module + "/internal/wal", "imports point down"},
		{"root on ours", "job.go", module + "/internal/disk", "imports point down"},
		{"root on others", "job.go", "go.etcd.io/bbolt", "standard library only"},
		{"ledger on a port", "internal/ledger/ledger.go", module + "/internal/event", `"internal/ledger" imports only [""]`},
		{"kit in the product", "internal/app/app.go", module + "/internal/disk/disktest", "a test kit"},
		{"test library in the product", "internal/wal/wal.go", "testing", "for tests and test kits"},
		{"client on the inside", "client/client.go", module + "/internal/node", `"client" imports only`},
		{"unknown importer", "internal/novelty/novelty.go", "fmt", "add it to the table"},
		{"unknown import", "internal/app/app.go", module + "/internal/novelty", "add it to the table"},
		{"product on bench", "internal/app/app.go", module + "/bench/report", "imports point down"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := breaches(layers, []edge{{c.path, c.to}})
			if c.want == "" && len(got) > 0 {
				t.Errorf("reported %q, want nothing", got)
			}
			if c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("reported %q, want one report with %q", got, c.want)
			}
		})
	}
}

// TestLayersNameEachPackageOnce keeps the table unambiguous.
func TestLayersNameEachPackageOnce(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range layers {
		if seen[r.pkg] {
			t.Errorf("package %q stands in the table twice", r.pkg)
		}
		seen[r.pkg] = true
	}
}

// peers are the systems the product is measured against. Their clients belong
// to the bench module; one that becomes an engine of ours leaves this list.
var peers = []string{
	"github.com/RichardKnop/machinery",
	"github.com/contribsys/faktory",
	"github.com/gocraft/work",
	"github.com/hibiken/asynq",
	"github.com/nats-io/nats-server",
	"github.com/nats-io/nats.go",
	"github.com/rabbitmq/amqp091-go",
	"github.com/redis/go-redis",
	"github.com/riverqueue/river",
	"go.temporal.io/sdk",
}

// required lists the peers a go.mod asks for, directly or not.
func required(peers []string, mod string) []string {
	var out []string
	for word := range strings.FieldsSeq(mod) {
		for _, p := range peers {
			if word == p || strings.HasPrefix(word, p+"/") {
				out = append(out, word)
			}
		}
	}
	return out
}

func TestMainModuleHasNoPeers(t *testing.T) {
	if got := required(peers, string(read(t, "go.mod"))); len(got) > 0 {
		t.Errorf("go.mod requires %q: what we measure against is required by bench/go.mod", got)
	}
	planted := "require (\n\tgithub.com/hibiken/asynq v0.25.1\n\tgithub.com/riverqueue/river/riverdriver v0.1.0 // indirect\n)"
	if got := required(peers, planted); len(got) != 2 {
		t.Errorf("of two planted peers %q were found", got)
	}
}
