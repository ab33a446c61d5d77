package clients

import (
	"crypto/tls"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/keptn/go-utils/pkg/api/models"
)

const shipyard = "c3RhZ2VzOgotIG5hbWU6IGRldgo=" // stages: [{name: dev}]

// operation is one call of one of the library's methods.
type operation struct {
	method string // handler and method, as the library names them
	prefix string
	call   func(k *keptn) error
	sends  string
	status int
}

func text(of string) *string { return &of }

// operations are in an order in which each finds what it needs.
var operations = []operation{
	{"AuthHandler.Authenticate", "", func(k *keptn) error {
		_, err := k.auth.Authenticate()
		return failure(err)
	}, "POST /v1/auth", 200},
	{"ProjectHandler.CreateProject", "", func(k *keptn) error {
		_, err := k.projects.CreateProject(models.CreateProject{Name: text("sockshop"), Shipyard: text(shipyard)})
		return failure(err)
	}, "POST /v1/project", 200},
	{"ProjectHandler.CreateConfigurationServiceProject", configurationService, func(k *keptn) error {
		_, err := k.projects.CreateConfigurationServiceProject(models.Project{ProjectName: "another"})
		return failure(err)
	}, "POST /configuration-service/v1/project", 204},
	{"ProjectHandler.GetProject", "", func(k *keptn) error {
		_, err := k.projects.GetProject(models.Project{ProjectName: "sockshop"})
		return failure(err)
	}, "GET /configuration-service/v1/project/sockshop", 200},
	{"ProjectHandler.GetAllProjects", "", func(k *keptn) error {
		_, err := k.projects.GetAllProjects()
		return err
	}, "GET /configuration-service/v1/project/", 200},
	{"StageHandler.CreateStage", configurationService, func(k *keptn) error {
		_, err := k.stages.CreateStage("sockshop", "staging")
		return failure(err)
	}, "POST /configuration-service/v1/project/sockshop/stage", 204},
	{"StageHandler.GetAllStages", configurationService, func(k *keptn) error {
		_, err := k.stages.GetAllStages("sockshop")
		return err
	}, "GET /configuration-service/v1/project/sockshop/stage", 200},
	{"ServiceHandler.CreateService", "", func(k *keptn) error {
		_, err := k.services.CreateService("sockshop", models.CreateService{ServiceName: text("carts")})
		return failure(err)
	}, "POST /v1/project/sockshop/service", 200},
	{"ServiceHandler.CreateServiceInStage", configurationService, func(k *keptn) error {
		_, err := k.services.CreateServiceInStage("sockshop", "dev", "orders")
		return failure(err)
	}, "POST /configuration-service/v1/project/sockshop/stage/dev/service", 204},
	{"ServiceHandler.GetAllServices", configurationService, func(k *keptn) error {
		_, err := k.services.GetAllServices("sockshop", "dev")
		return err
	}, "GET /configuration-service/v1/project/sockshop/stage/dev/service", 200},
	{"EventHandler.SendEvent", "", func(k *keptn) error {
		_, err := k.events.SendEvent(event("sh.keptn.events.test", "c0ffee"))
		return failure(err)
	}, "POST /v1/event", 200},
	{"EventHandler.GetEvent", "", func(k *keptn) error {
		_, err := k.events.GetEvent("c0ffee", "sh.keptn.events.test")
		return failure(err)
	}, "GET /v1/event?keptnContext=c0ffee&type=sh.keptn.events.test&pageSize=10", 200},
	{"ResourceHandler.CreateResources", "", func(k *keptn) error {
		_, err := k.resources.CreateResources("sockshop", "dev", "carts", []*models.Resource{resource("a", "1")})
		return failure(err)
	}, "POST /v1/project/sockshop/stage/dev/service/carts/resource", 201},
	{"ResourceHandler.CreateProjectResources", "", func(k *keptn) error {
		_, err := k.resources.CreateProjectResources("sockshop", []*models.Resource{resource("a", "1")})
		return err
	}, "POST /v1/project/sockshop/resource", 201},
	{"ResourceHandler.GetProjectResource", "", func(k *keptn) error {
		_, err := k.resources.GetProjectResource("sockshop", "a")
		return err
	}, "GET /v1/project/sockshop/resource/a", 200},
	{"ResourceHandler.UpdateProjectResource", "", func(k *keptn) error {
		_, err := k.resources.UpdateProjectResource("sockshop", resource("a", "2"))
		return err
	}, "PUT /v1/project/sockshop/resource/a", 201},
	{"ResourceHandler.UpdateProjectResources", "", func(k *keptn) error {
		_, err := k.resources.UpdateProjectResources("sockshop", []*models.Resource{resource("a", "3")})
		return err
	}, "PUT /v1/project/sockshop/resource", 201},
	{"ResourceHandler.DeleteProjectResource", "", func(k *keptn) error {
		return k.resources.DeleteProjectResource("sockshop", "a")
	}, "DELETE /v1/project/sockshop/resource/a", 204},
	{"ResourceHandler.CreateStageResources", "", func(k *keptn) error {
		_, err := k.resources.CreateStageResources("sockshop", "dev", []*models.Resource{resource("a", "1")})
		return err
	}, "POST /v1/project/sockshop/stage/dev/resource", 201},
	{"ResourceHandler.GetStageResource", "", func(k *keptn) error {
		_, err := k.resources.GetStageResource("sockshop", "dev", "a")
		return err
	}, "GET /v1/project/sockshop/stage/dev/resource/a", 200},
	{"ResourceHandler.UpdateStageResource", "", func(k *keptn) error {
		_, err := k.resources.UpdateStageResource("sockshop", "dev", resource("a", "2"))
		return err
	}, "PUT /v1/project/sockshop/stage/dev/resource/a", 201},
	{"ResourceHandler.UpdateStageResources", "", func(k *keptn) error {
		_, err := k.resources.UpdateStageResources("sockshop", "dev", []*models.Resource{resource("a", "3")})
		return err
	}, "PUT /v1/project/sockshop/stage/dev/resource", 201},
	{"ResourceHandler.GetAllStageResources", "", func(k *keptn) error {
		_, err := k.resources.GetAllStageResources("sockshop", "dev")
		return err
	}, "GET /v1/project/sockshop/stage/dev/resource", 200},
	// Keptn 0.6.2 has not implemented it; the library does not look at the status.
	{"ResourceHandler.DeleteStageResource", "", func(k *keptn) error {
		return k.resources.DeleteStageResource("sockshop", "dev", "a")
	}, "DELETE /v1/project/sockshop/stage/dev/resource/a", 501},
	{"ResourceHandler.CreateServiceResources", "", func(k *keptn) error {
		_, err := k.resources.CreateServiceResources("sockshop", "dev", "carts", []*models.Resource{resource("a", "1")})
		return err
	}, "POST /v1/project/sockshop/stage/dev/service/carts/resource", 201},
	{"ResourceHandler.GetServiceResource", "", func(k *keptn) error {
		_, err := k.resources.GetServiceResource("sockshop", "dev", "carts", "a")
		return err
	}, "GET /v1/project/sockshop/stage/dev/service/carts/resource/a", 200},
	{"ResourceHandler.UpdateServiceResource", "", func(k *keptn) error {
		_, err := k.resources.UpdateServiceResource("sockshop", "dev", "carts", resource("a", "2"))
		return err
	}, "PUT /v1/project/sockshop/stage/dev/service/carts/resource/a", 201},
	{"ResourceHandler.UpdateServiceResources", "", func(k *keptn) error {
		_, err := k.resources.UpdateServiceResources("sockshop", "dev", "carts", []*models.Resource{resource("a", "3")})
		return err
	}, "PUT /v1/project/sockshop/stage/dev/service/carts/resource", 201},
	{"ResourceHandler.GetAllServiceResources", "", func(k *keptn) error {
		_, err := k.resources.GetAllServiceResources("sockshop", "dev", "carts")
		return err
	}, "GET /v1/project/sockshop/stage/dev/service/carts/resource/", 501},
	{"ResourceHandler.DeleteServiceResource", "", func(k *keptn) error {
		return k.resources.DeleteServiceResource("sockshop", "dev", "carts", "a")
	}, "DELETE /v1/project/sockshop/stage/dev/service/carts/resource/a", 501},
	{"ProjectHandler.DeleteProject", "", func(k *keptn) error {
		_, err := k.projects.DeleteProject(models.Project{ProjectName: "sockshop"})
		return failure(err)
	}, "DELETE /v1/project/sockshop", 200},
}

func event(kind, context string) models.KeptnContextExtendedCE {
	return models.KeptnContextExtendedCE{
		Data:           map[string]string{"project": "sockshop"},
		Source:         text("https://github.com/keptn/keptn/cli"),
		Type:           &kind,
		Shkeptncontext: context,
	}
}

func TestOperationsAreAllThatTheLibraryHas(t *testing.T) {
	tried := map[string]bool{}
	for _, operation := range operations {
		tried[operation.method] = true
	}
	k := at("")
	for _, handler := range []any{k.auth, k.events, k.projects, k.stages, k.services, k.resources} {
		kind := reflect.TypeOf(handler)
		for i := 0; i < kind.NumMethod(); i++ {
			if name := kind.Elem().Name() + "." + kind.Method(i).Name; !tried[name] {
				t.Errorf("%s is not tried", name)
			}
		}
	}
}

func TestEveryOperation(t *testing.T) {
	for _, over := range []struct {
		name, scheme, endpoint, proto string
		transport                     http.RoundTripper // instead of the library's
	}{
		{"http", "http", gateway.HTTP, "HTTP/1.1", nil},
		{"https", "https", gateway.HTTPS, "HTTP/1.1", nil},
		{"http2", "https", gateway.HTTPS, "HTTP/2.0", &http.Transport{
			ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		}},
	} {
		for _, operation := range operations {
			t.Run(over.name+"/"+operation.method, func(t *testing.T) {
				k := connect(over.scheme, over.endpoint+operation.prefix, gateway.Token)
				k.over(over.transport)
				err := operation.call(k)
				last := k.wire.last()
				if last.sent != operation.sends || last.status != operation.status || last.proto != over.proto {
					t.Fatalf("%q got %d over %s (%v), want %q and %d", last.sent, last.status, last.proto, err, operation.sends, operation.status)
				}
				if operation.status < 300 && err != nil {
					t.Fatalf("the library does not understand the answer: %v", err)
				}
			})
		}
		// What the operations leave behind.
		_, err := at("").projects.DeleteProject(models.Project{ProjectName: "another"})
		ok(t, failure(err))
	}
}

// Without a token, and with a wrong one, nothing passes and the library understands why.
func TestEveryOperationIsRefused(t *testing.T) {
	newProject(t, "sockshop")
	for token, message := range map[string]string{
		"":           "unauthenticated for invalid credentials",
		"wrong":      "incorrect api key auth",
		"wrong, too": "exactly one x-token is required",
	} {
		for _, operation := range operations {
			t.Run(operation.method+"/token="+token, func(t *testing.T) {
				k := connect("http", gateway.HTTP+operation.prefix, token)
				err := operation.call(k)
				last := k.wire.last()
				if last.sent != operation.sends || last.status != 401 {
					t.Fatalf("%q got %d (%v), want %q and 401", last.sent, last.status, err, operation.sends)
				}
				// The library does not look at the answer to these.
				if strings.HasPrefix(operation.method, "ResourceHandler.Delete") {
					return
				}
				if err == nil || !strings.Contains(err.Error(), message) {
					t.Fatalf("the user sees %v, want %q", err, message)
				}
			})
		}
	}
	projects, err := at("").projects.GetAllProjects()
	ok(t, err)
	if len(projects) != 1 || len(projects[0].Stages) != 1 || len(projects[0].Stages[0].Services) != 1 {
		t.Fatalf("something was done: %+v", projects)
	}
}
