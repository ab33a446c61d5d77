package clients

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/keptn/go-utils/pkg/api/models"
)

// The command line sends `Host: api.keptn`, whatever the endpoint, but not with every operation.
func TestTheHostThatTheCommandLineSends(t *testing.T) {
	k := at("")
	_, failed := k.auth.Authenticate()
	ok(t, failure(failed))
	if host := k.wire.last().host; host != "api.keptn" {
		t.Errorf("the library sends Host: %s", host)
	}
	_, err := k.projects.GetAllProjects()
	ok(t, err)
	if host := k.wire.last().host; host != "" && host != gateway.HTTP {
		t.Errorf("the library sends Host: %s", host)
	}
}

// Where the gateway answers to Keptn's names alone, as behind Istio, all works with the domain's name. With a bare
// address only what sends the literal host does, as it was with Keptn's VirtualService.
func TestNamesOfTheGateway(t *testing.T) {
	byName := connect("http", "api.keptn.example.com:8080", gateway.Token)
	byName.over(&http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, gateway.ByName)
	}})
	byAddress := connect("http", gateway.ByName, gateway.Token)
	for _, k := range []*keptn{byName, byAddress} {
		_, failed := k.auth.Authenticate()
		ok(t, failure(failed))
	}
	_, err := byName.projects.GetAllProjects()
	ok(t, err)
	_, err = byAddress.projects.GetAllProjects()
	if err == nil || !strings.Contains(err.Error(), "nothing is served at this address") {
		t.Errorf("the user sees %v", err)
	}
	sent, failed := byAddress.events.SendEvent(event("sh.keptn.events.test", ""))
	ok(t, failure(failed))
	socket, _, err := read("ws://"+gateway.ByName, sent)
	ok(t, err)
	socket.Close()
}

// `keptn auth --endpoint=https://…/`: the library only appends.
func TestAnEndpointThatEndsInASlash(t *testing.T) {
	for _, endpoint := range []string{gateway.HTTP + "/", "http://" + gateway.HTTP + "/", gateway.HTTP + "//"} {
		k := connect("http", endpoint, gateway.Token)
		_, failed := k.auth.Authenticate()
		if sent := k.wire.last().sent; failed != nil || !strings.HasSuffix(sent, "//v1/auth") {
			t.Errorf("%q: %v", sent, failure(failed))
		}
		_, failed = k.events.SendEvent(event("sh.keptn.events.test", "5a5"))
		ok(t, failure(failed))
		_, err := k.projects.GetAllProjects()
		if sent := k.wire.last().sent; err != nil || !strings.HasSuffix(sent, "//configuration-service/v1/project/") {
			t.Errorf("%q: %v", sent, err)
		}
	}
}

func TestEventsComeBack(t *testing.T) {
	k := at("")
	sent, failed := k.events.SendEvent(event("sh.keptn.events.test", ""))
	ok(t, failure(failed))
	read, failed := k.events.GetEvent(*sent.KeptnContext, "sh.keptn.events.test")
	ok(t, failure(failed))
	if read.Shkeptncontext != *sent.KeptnContext || fmt.Sprint(read.Data) != "map[project:sockshop]" {
		t.Errorf("read %+v", read)
	}
	_, failed = k.events.GetEvent("unknown", "sh.keptn.events.test")
	if failed == nil || *failed.Message != "No sh.keptn.events.test event found for Keptn context: unknown" {
		t.Errorf("the user sees %v", failure(failed))
	}
}

// More than one page of each list that pages.
func TestPages(t *testing.T) {
	const many = 45
	k := at("")
	for i := 0; i < many; i++ {
		i := i
		_, failed := k.projects.CreateProject(models.CreateProject{Name: text(fmt.Sprintf("page-%d", i)), Shipyard: text(shipyard)})
		ok(t, failure(failed))
		t.Cleanup(func() {
			_, failed := k.projects.DeleteProject(models.Project{ProjectName: fmt.Sprintf("page-%d", i)})
			ok(t, failure(failed))
		})
	}
	inside := at(configurationService)
	var resources []*models.Resource
	for i := 0; i < many; i++ {
		_, failed := inside.services.CreateServiceInStage("page-0", "dev", fmt.Sprintf("service-%d", i))
		ok(t, failure(failed))
		resources = append(resources, resource(fmt.Sprintf("dir/%d", i), "x"))
		if i > 0 { // the shipyard has one stage
			_, failed = inside.stages.CreateStage("page-0", fmt.Sprintf("stage-%d", i))
			ok(t, failure(failed))
		}
	}
	_, err := k.resources.CreateStageResources("page-0", "dev", resources)
	ok(t, err)

	check := func(what string, found int, err error, requests int) {
		t.Helper()
		if err != nil || found != many || requests != 3 {
			t.Errorf("%d %s of %d, in %d requests: %v", found, what, many, requests, err)
		}
	}
	before := k.wire.count()
	projects, err := k.projects.GetAllProjects()
	check("projects", len(projects), err, k.wire.count()-before)
	before = k.wire.count()
	all, err := k.resources.GetAllStageResources("page-0", "dev")
	check("resources", len(all), err, k.wire.count()-before)
	before = inside.wire.count()
	stages, err := inside.stages.GetAllStages("page-0")
	check("stages", len(stages), err, inside.wire.count()-before)
	before = inside.wire.count()
	services, err := inside.services.GetAllServices("page-0", "dev")
	check("services", len(services), err, inside.wire.count()-before)
}

// In the cluster the library asks configuration-service itself. Without the prefix the gateway has these paths at
// api-service, which does not know them, as Keptn's own gateway had.
func TestListsWithoutThePrefix(t *testing.T) {
	k := at("")
	_, err := k.stages.GetAllStages("sockshop")
	if err == nil || !strings.Contains(err.Error(), "path /v1/project/sockshop/stage was not found") {
		t.Errorf("stages: %v", err)
	}
	_, err = k.services.GetAllServices("sockshop", "dev")
	if err == nil || !strings.Contains(err.Error(), "path /v1/project/sockshop/stage/dev/service was not found") {
		t.Errorf("services: %v", err)
	}
}

// `keptn onboard service` sends the chart in the body. The limit is nginx's: 1 MiB.
func TestBodies(t *testing.T) {
	newProject(t, "bodies")
	k := at("")
	chart := func(size int) string { return base64.StdEncoding.EncodeToString(make([]byte, size)) }
	_, failed := k.services.CreateService("bodies", models.CreateService{ServiceName: text("small"), HelmChart: chart(700_000)})
	ok(t, failure(failed))
	_, failed = k.services.CreateService("bodies", models.CreateService{ServiceName: text("large"), HelmChart: chart(800_000)})
	if failed == nil || failed.Code != 413 || *failed.Message != "the request's body is too large" {
		t.Errorf("the user sees %v", failure(failed))
	}

	content := strings.Repeat("0123456789abcdef", 700_000/16)
	_, err := k.resources.UpdateStageResource("bodies", "dev", resource("small", content))
	ok(t, err)
	read, err := k.resources.GetStageResource("bodies", "dev", "small")
	ok(t, err)
	if read.ResourceContent != content {
		t.Error("the content has changed")
	}
	_, err = k.resources.UpdateStageResource("bodies", "dev", resource("large", content+content))
	if err == nil || err.Error() != `{"code":413,"message":"the request's body is too large"}` {
		t.Errorf("the user sees %v", err)
	}
	// The refusals have broken nothing.
	_, failed = k.auth.Authenticate()
	ok(t, failure(failed))
}

// What a browser opens without a token.
func TestPublicPages(t *testing.T) {
	for _, path := range []string{
		"/swagger-ui/", "/swagger-ui/swagger.yaml", "/swagger.json", "/v1/docs", "/configuration-service/swagger-ui/swagger.yaml",
	} {
		response, err := http.Get("http://" + gateway.HTTP + path)
		ok(t, err)
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		ok(t, err)
		if response.StatusCode != 200 || len(body) == 0 {
			t.Errorf("%s: %d, %q", path, response.StatusCode, body)
		}
	}
}
