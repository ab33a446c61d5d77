package clients

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/keptn/go-utils/pkg/api/models"
	api "github.com/keptn/go-utils/pkg/api/utils"
)

// configurationService is the prefix under which the gateway offers configuration-service. The library's handlers for
// stages, services and resources are also used inside the cluster, where they have no prefix.
const configurationService = "/configuration-service"

// keptn is every handler that the library has, for one endpoint and one token.
type keptn struct {
	auth      *api.AuthHandler
	events    *api.EventHandler
	projects  *api.ProjectHandler
	stages    *api.StageHandler
	services  *api.ServiceHandler
	resources *api.ResourceHandler

	wire *wire
}

// connect makes the handlers as Keptn's command line makes them.
func connect(scheme, endpoint, token string) *keptn {
	header := "x-token"
	k := &keptn{
		auth:      api.NewAuthenticatedAuthHandler(endpoint, token, header, nil, scheme),
		events:    api.NewAuthenticatedEventHandler(endpoint, token, header, nil, scheme),
		projects:  api.NewAuthenticatedProjectHandler(endpoint, token, header, nil, scheme),
		stages:    api.NewAuthenticatedStageHandler(endpoint, token, header, nil, scheme),
		services:  api.NewAuthenticatedServiceHandler(endpoint, token, header, nil, scheme),
		resources: api.NewAuthenticatedResourceHandler(endpoint, token, header, nil, scheme),
		wire:      &wire{},
	}
	for _, client := range k.clients() {
		client.Transport = tap{client.Transport, k.wire}
	}
	return k
}

func (k *keptn) clients() []*http.Client {
	return []*http.Client{
		k.auth.HTTPClient, k.events.HTTPClient, k.projects.HTTPClient,
		k.stages.HTTPClient, k.services.HTTPClient, k.resources.HTTPClient,
	}
}

// over replaces the library's transport; nil leaves it.
func (k *keptn) over(transport http.RoundTripper) {
	if transport == nil {
		return
	}
	for _, client := range k.clients() {
		client.Transport = tap{transport, k.wire}
	}
}

// at is the gateway over plain HTTP, with the right token.
func at(prefix string) *keptn { return connect("http", gateway.HTTP+prefix, gateway.Token) }

// exchange is one request and what came back.
type exchange struct {
	sent   string // method and target as they stand in the request line
	host   string
	proto  string
	status int
}

// wire remembers what went over it: the library hides the target it sends, and sometimes the status it gets.
type wire struct {
	mutex     sync.Mutex
	exchanges []exchange
}

func (w *wire) last() exchange {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if len(w.exchanges) == 0 {
		return exchange{}
	}
	return w.exchanges[len(w.exchanges)-1]
}

func (w *wire) count() int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return len(w.exchanges)
}

type tap struct {
	inner http.RoundTripper
	wire  *wire
}

func (t tap) RoundTrip(request *http.Request) (*http.Response, error) {
	inner := t.inner
	if inner == nil {
		inner = http.DefaultTransport
	}
	response, err := inner.RoundTrip(request)
	seen := exchange{sent: request.Method + " " + request.URL.RequestURI(), host: request.Host}
	if err == nil {
		seen.proto, seen.status = response.Proto, response.StatusCode
	}
	t.wire.mutex.Lock()
	defer t.wire.mutex.Unlock()
	t.wire.exchanges = append(t.wire.exchanges, seen)
	return response, err
}

// failure is the library's own error as an ordinary one: code and message, as the command line prints them.
func failure(err *models.Error) error {
	if err == nil {
		return nil
	}
	if err.Message == nil {
		return fmt.Errorf("%d", err.Code)
	}
	if err.Code == 0 {
		return errors.New(*err.Message)
	}
	return fmt.Errorf("%d %s", err.Code, *err.Message)
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// newProject creates a project with a stage and a service in it, as shipyard-service does it.
func newProject(t *testing.T, name string) {
	t.Helper()
	k := at(configurationService)
	_, err := k.projects.CreateConfigurationServiceProject(models.Project{ProjectName: name})
	ok(t, failure(err))
	t.Cleanup(func() {
		if _, err := at("").projects.DeleteProject(models.Project{ProjectName: name}); err != nil {
			t.Errorf("deleting %q: %v", name, failure(err))
		}
	})
	_, err = k.stages.CreateStage(name, "dev")
	ok(t, failure(err))
	_, err = k.services.CreateServiceInStage(name, "dev", "carts")
	ok(t, failure(err))
}

func resource(name, content string) *models.Resource {
	return &models.Resource{ResourceURI: &name, ResourceContent: content}
}
