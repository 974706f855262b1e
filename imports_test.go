package adcskit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/adcskit/adcskit"

// goPackage is what `go list -json` says of a package, without its tests.
type goPackage struct {
	ImportPath string
	Dir        string
	Name       string
	Standard   bool
	Deps       []string // all of them, also indirect
}

// goList returns the packages of the module and everything they depend on.
func goList(t *testing.T) map[string]goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Dir,Name,Standard,Deps", "./...")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	list := map[string]goPackage{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
		list[p.ImportPath] = p
	}
}

// folder returns the first element of a package's path inside the module: "adcs", "internal", "" for the root.
func folder(importPath string) (string, bool) {
	rest, ok := strings.CutPrefix(importPath, module)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	return first, true
}

// crossings returns the imports, also indirect, that the design forbids: between the five library folders, from
// internal to a library, from a library to the examples, and of test servers by anything else in the library.
func crossings(list map[string]goPackage) []string {
	library := []string{"adcs", "wsproto", "keygen", "tpm", "pkcs12"}
	var bad []string
	for _, p := range list {
		from, ours := folder(p.ImportPath)
		if !ours || from == "examples" || from == ".ci" {
			continue
		}
		for _, dep := range p.Deps {
			to, ours := folder(dep)
			switch {
			case !ours || to == "":
			case to != from && slices.Contains(library, to), to == "examples", testServer(dep) && !testServer(p.ImportPath):
				bad = append(bad, p.ImportPath+" depends on "+dep)
			}
		}
	}
	slices.Sort(bad)
	return bad
}

// testServer reports whether a package is made for tests: adcstest, tpmtest, storetest, schematest.
func testServer(importPath string) bool { return strings.HasSuffix(path.Base(importPath), "test") }

func TestLibrariesDoNotImportOneAnother(t *testing.T) {
	list := goList(t)
	for _, must := range []string{"adcs", "adcs/adcstest", "wsproto", "wsproto/connector", "wsproto/gateway", "keygen", "pkcs12", "pkcs12/sealed", "tpm"} {
		require.Contains(t, list, module+"/"+must, "the check has to see the packages that it is about")
	}
	assert.Empty(t, crossings(list))
}

func TestCrossingsAreSeen(t *testing.T) {
	list := map[string]goPackage{}
	for from, to := range map[string]string{
		"adcs": "keygen", "wsproto/connector": "adcs", "keygen": "tpm", "tpm": "pkcs12/sealed", "pkcs12": "wsproto",
		"internal/x": "adcs", "wsproto/gateway": "examples/issuer", "adcs/discovery": "adcs/adcstest",
	} {
		list[from] = goPackage{ImportPath: module + "/" + from, Deps: []string{"fmt", module + "/internal/x", module + "/" + to}}
	}
	assert.Len(t, crossings(list), len(list))
	fine := map[string]goPackage{}
	for from, to := range map[string]string{
		"adcs/discovery": "adcs", "adcs/adcstest": "adcs", "examples/issuer": "keygen", "wsproto/connector": "wsproto",
	} {
		fine[from] = goPackage{ImportPath: module + "/" + from, Deps: []string{"fmt", "github.com/adcskit/adcskit2/keygen", module + "/" + to}}
	}
	assert.Empty(t, crossings(fine))
}

// strangers returns the packages outside the standard library and this module that a package depends on, without those
// that begin with an allowed path.
func strangers(list map[string]goPackage, of string, allowed ...string) []string {
	var bad []string
	for _, dep := range list[of].Deps {
		_, ours := folder(dep)
		known := ours || list[dep].Standard || strings.HasPrefix(dep, "vendor/") || slices.ContainsFunc(allowed, func(a string) bool {
			return dep == a || strings.HasPrefix(dep, a+"/")
		})
		if !known {
			bad = append(bad, of+" depends on "+dep)
		}
	}
	return bad
}

func TestImportsStaySmall(t *testing.T) {
	list := goList(t)
	const cryptobyte = "golang.org/x/crypto/cryptobyte"
	for name, allowed := range map[string][]string{
		"":              nil,
		"adcs/due":      nil,
		"keygen":        {cryptobyte},
		"pkcs12":        {cryptobyte, "golang.org/x/crypto/pbkdf2", "software.sslmate.com/src/go-pkcs12"},
		"pkcs12/sealed": nil,
		"tpm":           {cryptobyte, "github.com/google/go-tpm", "golang.org/x/sys"},
		"wsproto":       {"github.com/coder/websocket", "golang.org/x/crypto", "golang.org/x/sys"},
		"pkcs12/mobileconfig": {
			cryptobyte, "github.com/micromdm/plist", "golang.org/x/crypto/pbkdf2", "software.sslmate.com/src/go-pkcs12",
		},
	} {
		of := strings.TrimSuffix(module+"/"+name, "/")
		require.Contains(t, list, of)
		assert.Empty(t, strangers(list, of, allowed...))
	}
	assert.NotEmpty(t, strangers(list, module+"/pkcs12", cryptobyte), "what is not allowed is seen")
	assert.NotEmpty(t, strangers(list, module+"/adcs"))
}

// sourceFiles parses every file of the module that is not a test, for every operating system.
func sourceFiles(t *testing.T, fset *token.FileSet) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch base := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (base == "testdata" || base[0] == '.' || base[0] == '_' || nestedModule(name)):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		files[filepath.ToSlash(name)] = file
		return err
	})
	require.NoError(t, err)
	require.Greater(t, len(files), 50)
	return files
}

func nestedModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// libraryProblems returns what the files of one library package must not have: logging and test packages, go-msrpc's
// error mappers (which act on the whole process when they are imported), init functions, variables that somebody
// changes or could change, and reading of the environment or writing to the standard output.
func libraryProblems(files ...*ast.File) []string {
	var bad []string
	forTests := slices.ContainsFunc(files, func(f *ast.File) bool { return imports(f, "testing") })
	for _, file := range files {
		for _, spec := range file.Imports {
			p := strings.Trim(spec.Path.Value, `"`)
			if p == "log" || strings.HasPrefix(p, "github.com/rs/zerolog") || strings.Contains(p, "/msrpc/erref") ||
				strings.HasPrefix(p, "github.com/stretchr/") && !forTests || spec.Name != nil && spec.Name.Name == "_" && p != "embed" {
				bad = append(bad, "imports "+spec.Path.Value)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && forbiddenCall(x.Name, sel.Sel.Name) {
					bad = append(bad, "uses "+x.Name+"."+sel.Sel.Name)
				}
			}
			return true
		})
	}
	return append(bad, declarationProblems(files)...)
}

func imports(file *ast.File, p string) bool {
	return slices.ContainsFunc(file.Imports, func(spec *ast.ImportSpec) bool { return spec.Path.Value == `"`+p+`"` })
}

// declarationProblems looks at functions and variables of the package level.
func declarationProblems(files []*ast.File) []string {
	var bad []string
	tables := map[string]bool{}
	for _, file := range files {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil && decl.Name.Name == "init" {
					bad = append(bad, "has an init function")
				}
			case *ast.GenDecl:
				if decl.Tok == token.VAR {
					bad = append(bad, openVariables(decl, tables)...)
				}
			}
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			for _, name := range written(n) {
				if tables[name] {
					bad = append(bad, "writes to the table "+name)
				}
			}
			return true
		})
	}
	return bad
}

// written returns the names that a node assigns to, also in part, or lets others assign to.
func written(n ast.Node) []string {
	var targets []ast.Expr
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			targets = n.Lhs
		}
	case *ast.IncDecStmt:
		targets = []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			targets = []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && slices.Contains([]string{"delete", "clear", "copy"}, f.Name) {
			targets = n.Args[:1]
		}
	}
	var names []string
	for _, target := range targets {
		if name := root(target); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// root returns the variable that an expression such as x.y[z] is a part of.
func root(expr ast.Expr) string {
	for {
		switch e := expr.(type) {
		case *ast.Ident:
			return e.Name
		case *ast.IndexExpr:
			expr = e.X
		case *ast.SliceExpr:
			expr = e.X
		case *ast.SelectorExpr:
			expr = e.X
		case *ast.ParenExpr:
			expr = e.X
		case *ast.StarExpr:
			expr = e.X
		default:
			return ""
		}
	}
}

func forbiddenCall(pkg, name string) bool {
	switch pkg {
	case "os":
		return slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "Setenv", "Exit", "Stdout", "Stderr"}, name)
	case "fmt":
		return strings.HasPrefix(name, "Print")
	case "slog": // its types are fine: LogValue keeps secrets out of other people's logs
		return slices.Contains([]string{"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log", "LogAttrs", "With",
			"DebugContext", "InfoContext", "WarnContext", "ErrorContext"}, name)
	}
	return false
}

// openVariables returns the variables of a declaration that somebody can change: those that are exported or begin
// without a value, except errors, assertions (_) and embedded files. The others are added to tables, which nobody may
// write to.
func openVariables(decl *ast.GenDecl, tables map[string]bool) []string {
	var bad []string
	embedded := decl.Doc != nil && slices.ContainsFunc(decl.Doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
	for _, spec := range decl.Specs {
		spec := spec.(*ast.ValueSpec)
		for i, name := range spec.Names {
			isError := strings.HasPrefix(strings.ToLower(name.Name), "err") && i < len(spec.Values) && isErrorCall(spec.Values[i])
			switch {
			case name.Name == "_" || isError || embedded:
			case name.IsExported() || len(spec.Values) == 0:
				bad = append(bad, "has the variable "+name.Name)
			default:
				tables[name.Name] = true
			}
		}
	}
	return bad
}

// isErrorCall is true for errors.New(…) and fmt.Errorf(…).
func isErrorCall(expr ast.Expr) bool {
	call, ok := expr.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (sel.Sel.Name == "New" || sel.Sel.Name == "Errorf")
}

func TestLibraryKeepsToItself(t *testing.T) {
	packages := map[string][]*ast.File{}
	for name, file := range sourceFiles(t, token.NewFileSet()) {
		if !strings.HasPrefix(name, "examples/") && file.Name.Name != "main" {
			packages[path.Dir(name)] = append(packages[path.Dir(name)], file)
		}
	}
	require.Greater(t, len(packages), 8)
	for dir, files := range packages {
		if dir == "internal/adtest" {
			continue // TestMain of test binaries, which starts the process again in a network of its own
		}
		assert.Empty(t, libraryProblems(files...), dir)
	}
}

func TestLibraryProblemsAreSeen(t *testing.T) {
	parse := func(source string) *ast.File {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+source, parser.ParseComments)
		require.NoError(t, err, source)
		return file
	}
	for _, bad := range []string{
		`import "log"`, `import _ "github.com/oiweiwei/go-msrpc/msrpc/erref/win32"`, `import _ "net/http/pprof"`,
		`import "github.com/oiweiwei/go-msrpc/msrpc/erref/hresult"`, `import "github.com/stretchr/testify/require"`,
		`func init() {}`, `var Default = 5`, `var mu sync.Mutex`, `var X, errY = 1, errors.New("")`, `var errX error`,
		`func f() string { return os.Getenv("X") }`, `func f() { fmt.Println() }`, `func f() { slog.Info("") }`,
		`var n = 1; func f() { n++ }`, `var m = map[int]int{}; func f() { m[1] = 2 }`, `var t = T{}; func f() { t.a.b[0] = 2 }`,
		`var m = map[int]int{}; func f() { delete(m, 1) }`, `var n = 1; func f() *int { return &n }`, `var n = 1; func f() { n = 2 }`,
	} {
		assert.Len(t, libraryProblems(parse(bad)), 1, bad)
	}
	assert.Len(t, libraryProblems(parse(`var n = 1`), parse(`func f() { n = 2 }`)), 1, "in another file")
	for _, fine := range []string{
		`var ErrX = errors.New("x"); var ( errY = fmt.Errorf("%w: y", ErrX) )`, `var _ io.Reader = (*T)(nil)`,
		"import _ \"embed\"\n//go:embed x.txt\nvar text string", `func (T) init() { var local int; local = 1; _ = local }`,
		`func f() slog.Value { return slog.StringValue(fmt.Sprint()) }`, `var table = map[int]int{1: 2}; func f() int { return table[1] }`,
		"import \"testing\"\nimport \"github.com/stretchr/testify/require\"",
	} {
		assert.Empty(t, libraryProblems(parse(fine)), fine)
	}
}

// maxBinaryFile is the longest file of an example binary, in lines: flags, wiring and output fit in it.
const maxBinaryFile = 150

func TestExampleBinariesStayThin(t *testing.T) {
	fset := token.NewFileSet()
	binaries := 0
	for name, file := range sourceFiles(t, fset) {
		if !strings.HasPrefix(name, "examples/") || file.Name.Name != "main" {
			continue
		}
		binaries++
		lines := fset.Position(file.FileEnd).Line - 1 // the file ends with a line break
		assert.LessOrEqual(t, lines, maxBinaryFile, name)
	}
	assert.NotZero(t, binaries)
}

// TestPackageComments wants exactly one package comment for each package, so that its page reads as written.
func TestPackageComments(t *testing.T) {
	comments := map[string][]string{}
	for name, file := range sourceFiles(t, token.NewFileSet()) {
		dir := path.Dir(name)
		comments[dir] = append(comments[dir], "")
		if file.Doc != nil {
			comments[dir] = append(comments[dir][:len(comments[dir])-1], fmt.Sprintf("%s: %.40s", name, file.Doc.Text()))
		}
	}
	for dir, list := range comments {
		list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
		assert.Len(t, list, 1, dir)
	}
}
