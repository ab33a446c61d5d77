package clients

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keptn/go-utils/pkg/api/models"
)

// level is where resources are kept. write sends the name in the body, put and get in the path, as the library
// escapes it: `url.QueryEscape`, which turns a space into `+`.
type level struct {
	path  string
	write func(k *keptn, r *models.Resource) error
	put   func(k *keptn, r *models.Resource) error
	get   func(k *keptn, name string) (*models.Resource, error)
}

var levels = map[string]level{
	"project": {
		"/v1/project/names/resource/",
		func(k *keptn, r *models.Resource) error {
			_, err := k.resources.CreateProjectResources("names", []*models.Resource{r})
			return err
		},
		func(k *keptn, r *models.Resource) error {
			_, err := k.resources.UpdateProjectResource("names", r)
			return err
		},
		func(k *keptn, name string) (*models.Resource, error) {
			return k.resources.GetProjectResource("names", name)
		},
	},
	"stage": {
		"/v1/project/names/stage/dev/resource/",
		func(k *keptn, r *models.Resource) error {
			_, err := k.resources.CreateStageResources("names", "dev", []*models.Resource{r})
			return err
		},
		func(k *keptn, r *models.Resource) error {
			_, err := k.resources.UpdateStageResource("names", "dev", r)
			return err
		},
		func(k *keptn, name string) (*models.Resource, error) {
			return k.resources.GetStageResource("names", "dev", name)
		},
	},
	"service": {
		"/v1/project/names/stage/dev/service/carts/resource/",
		func(k *keptn, r *models.Resource) error {
			_, err := k.resources.CreateServiceResources("names", "dev", "carts", []*models.Resource{r})
			return err
		},
		func(k *keptn, r *models.Resource) error {
			_, err := k.resources.UpdateServiceResource("names", "dev", "carts", r)
			return err
		},
		func(k *keptn, name string) (*models.Resource, error) {
			return k.resources.GetServiceResource("names", "dev", "carts", name)
		},
	},
}

// What comes out of a name that went in is the library's and configuration-service's doing: the library escapes a name
// as for a query, where a space is `+`, and configuration-service 0.6.2 unescapes it once, as a path, where `+` is
// itself. So a name with a space that was written in a body cannot be read: the library asks for another. All others
// come out as they went in, escapes that are part of a name among them. The gateway must not add to it.
func TestNamesOfResources(t *testing.T) {
	const written, put = "written with the name in the body", "put with the name in the path"
	for _, name := range []struct{ name, sent, inPath string }{
		{"values.yaml", "values.yaml", "values.yaml"},
		{"UPPER_lower-1.2~3.yaml", "UPPER_lower-1.2~3.yaml", "UPPER_lower-1.2~3.yaml"},
		{"helm/carts/values.yaml", "helm%2Fcarts%2Fvalues.yaml", "helm/carts/values.yaml"},
		{"/leading", "%2Fleading", "/leading"},
		{"semi;colon", "semi%3Bcolon", "semi;colon"},
		{"hash#tag", "hash%23tag", "hash#tag"},
		{"why?", "why%3F", "why?"},
		{"a&b=c", "a%26b%3Dc", "a&b=c"},
		{"Größe.yaml", "Gr%C3%B6%C3%9Fe.yaml", "Größe.yaml"},
		{"{curly}", "%7Bcurly%7D", "{curly}"},
		{".gitignore", ".gitignore", ".gitignore"},
		{"..a/b..", "..a%2Fb..", "..a/b.."},
		{"dir/a b", "dir%2Fa+b", "dir/a+b"},
		{"1+1", "1%2B1", "1+1"},
		{"100%", "100%25", "100%"},
		{"100%3B", "100%253B", "100%3B"},
		{"p%25", "p%2525", "p%25"},
	} {
		for kind, level := range levels {
			t.Run(kind+"/"+strings.ReplaceAll(name.name, "/", "|"), func(t *testing.T) {
				newProject(t, "names")
				k := at("")
				ok(t, level.write(k, resource(name.name, written)))
				read, err := level.get(k, name.name)
				if sent, want := k.wire.last().sent, "GET "+level.path+name.sent; sent != want {
					t.Fatalf("the library sends %q, not %q", sent, want)
				}
				if name.inPath == name.name {
					ok(t, err)
					if read.ResourceContent != written {
						t.Fatalf("what was written reads %q", read.ResourceContent)
					}
				} else if want := strings.ToUpper(kind[:1]) + kind[1:] + " resource not found"; err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("reading what was written: %v, not %q", err, want)
				}
				ok(t, level.put(k, resource(name.name, put)))
				if sent, want := k.wire.last().sent, "PUT "+level.path+name.sent; sent != want {
					t.Fatalf("the library sends %q, not %q", sent, want)
				}
				read, err = level.get(k, name.name)
				ok(t, err)
				if read.ResourceContent != put {
					t.Fatalf("what was put reads %q", read.ResourceContent)
				}
				if kind != "stage" {
					return
				}
				all, err := k.resources.GetAllStageResources("names", "dev")
				ok(t, err)
				stored := map[string]bool{}
				for _, resource := range all {
					stored[*resource.ResourceURI] = true
				}
				want := map[string]bool{name.name: true, name.inPath: true}
				if fmt.Sprint(stored) != fmt.Sprint(want) {
					t.Fatalf("stored are %v, want %v", stored, want)
				}
			})
		}
	}
}

// What would reach configuration-service's files outside the project is refused, whatever the operation.
func TestNamesOfResourcesThatAreRefused(t *testing.T) {
	newProject(t, "names")
	for _, name := range []string{
		"..", "../x", "a/../../x", "a/..", "./x", ".git/config", "a/.git/config", "..\\x", "nul\x00", "%2e%2e/x", "a%2f..",
	} {
		for kind, level := range levels {
			t.Run(kind+"/"+strings.ReplaceAll(name, "/", "|"), func(t *testing.T) {
				k := at("")
				_, err := level.get(k, name)
				if status := k.wire.last().status; status != 400 || err == nil || !strings.Contains(err.Error(), `{"code":400,`) {
					t.Errorf("reading: status %d, the user sees %v", status, err)
				}
				err = level.put(k, resource(name, "x"))
				if status := k.wire.last().status; status != 400 || err == nil || !strings.Contains(err.Error(), `{"code":400,`) {
					t.Errorf("writing: status %d, the user sees %v", status, err)
				}
			})
		}
	}
}

// Names of projects, stages and services stand in the path as they are: the library does not escape them, Go does
// what it can.
func TestNamesOfProjects(t *testing.T) {
	for _, name := range []struct{ name, sent string }{
		{"my project", "my%20project"},
		{"My_Project.v1", "My_Project.v1"},
		{"Größe", "Gr%C3%B6%C3%9Fe"},
		{"a+b", "a+b"},
		{"a&b=c,d@e:f$", "a&b=c,d@e:f$"},
		{"resource", "resource"},
		{"stage", "stage"},
	} {
		t.Run(name.name, func(t *testing.T) {
			newProject(t, name.name)
			k := at("")
			project, failed := k.projects.GetProject(models.Project{ProjectName: name.name})
			ok(t, failure(failed))
			if sent, want := k.wire.last().sent, "GET /configuration-service/v1/project/"+name.sent; sent != want {
				t.Fatalf("the library sends %q, not %q", sent, want)
			}
			if project.ProjectName != name.name {
				t.Fatalf("found %q", project.ProjectName)
			}
			_, err := k.resources.UpdateServiceResource(name.name, "dev", "carts", resource("a.b", "x"))
			ok(t, err)
			read, err := k.resources.GetServiceResource(name.name, "dev", "carts", "a.b")
			ok(t, err)
			if read.ResourceContent != "x" {
				t.Fatalf("read %q", read.ResourceContent)
			}
		})
	}
}

// A name of a project that needs escapes makes Go write the whole path anew, and what the library had escaped is plain
// again: `%2F` is a slash then: not even without a gateway does that reach a resource.
func TestNestedResourcesInProjectsWithEscapes(t *testing.T) {
	newProject(t, "my project")
	k := at("")
	_, err := k.resources.UpdateStageResource("my project", "dev", resource("a/b", "x"))
	if sent := k.wire.last().sent; sent != "PUT /v1/project/my%20project/stage/dev/resource/a/b" {
		t.Fatalf("the library sends %q", sent)
	}
	if err == nil || !strings.Contains(err.Error(), `{"code":404,"message":"path /v1/project/my%20project/stage/dev/resource/a/b was not found"}`) {
		t.Fatalf("the user sees %v", err)
	}
	// So with a semicolon, which the gateway takes only escaped.
	_, err = k.resources.UpdateStageResource("my project", "dev", resource("a;b", "x"))
	if err == nil || !strings.Contains(err.Error(), `{"code":400,"message":"the path must not contain semicolons`) {
		t.Fatalf("%q: the user sees %v", k.wire.last().sent, err)
	}
	// With the name escaped by the caller both are as they should be.
	_, err = k.resources.UpdateStageResource("my%20project", "dev", resource("a/b", "x"))
	ok(t, err)
	all, err := k.resources.GetAllStageResources("my%20project", "dev")
	ok(t, err)
	if len(all) != 1 || *all[0].ResourceURI != "a/b" {
		t.Fatalf("stored are %v", all)
	}
}

// What the library sends of names that it should have escaped.
func TestNamesOfProjectsThatGoWrong(t *testing.T) {
	for _, name := range []struct {
		name, sent string
		status     int
		message    string
	}{
		// Servers disagree about what `;` in a path means, so the gateway takes it only escaped.
		{"a;b", "a;b", 400, "400 "},
		{"a/b", "a/b", 404, "was not found"},
		{"a%2Fb", "a%2Fb", 400, "400 "},
		{"a%3Bb", "a%3Bb", 404, "Project not found"},
		{"a#b", "a", 404, "Project not found"},
		{"a?b", "a?b", 404, "Project not found"},
		{"..", "..", 400, "400 "},
	} {
		t.Run(strings.ReplaceAll(name.name, "/", "|"), func(t *testing.T) {
			k := at("")
			_, err := k.projects.GetProject(models.Project{ProjectName: name.name})
			last := k.wire.last()
			if want := "GET /configuration-service/v1/project/" + name.sent; last.sent != want {
				t.Fatalf("the library sends %q, not %q", last.sent, want)
			}
			if message := fmt.Sprint(failure(err)); last.status != name.status || !strings.Contains(message, name.message) {
				t.Fatalf("status %d, the user sees %q", last.status, message)
			}
		})
	}
}
