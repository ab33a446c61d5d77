package clients

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/keptn/go-utils/pkg/api/models"
	api "github.com/keptn/go-utils/pkg/api/utils"
	lib "github.com/keptn/go-utils/pkg/lib"
)

// read opens the log stream as the command line does: at the endpoint itself, its scheme replaced, with two headers
// of its own and the literal host.
func read(endpoint string, context *models.EventContext) (*websocket.Conn, *http.Response, error) {
	header := http.Header{"Host": {"api.keptn"}}
	header.Add("Token", *context.Token)
	header.Add("Keptn-Ws-Channel-Id", *context.KeptnContext)
	dialer := websocket.Dialer{
		NetDial:         api.ResolveXipIo,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	return dialer.Dial(endpoint, header)
}

// messages reads until one says `terminate`.
func messages(t *testing.T, socket *websocket.Conn) []string {
	t.Helper()
	var all []string
	for {
		socket.SetReadDeadline(time.Now().Add(90 * time.Second))
		kind, message, err := socket.ReadMessage()
		ok(t, err)
		if kind != websocket.TextMessage {
			continue
		}
		var event lib.MyCloudEvent
		ok(t, json.Unmarshal(message, &event))
		if event.Type != "sh.keptn.events.log" {
			t.Fatalf("unexpected %s", message)
		}
		var log lib.LogData
		ok(t, json.Unmarshal(event.Data, &log))
		all = append(all, log.Message)
		if log.Terminate {
			return all
		}
	}
}

// `keptn create project`: the answer names the log stream, which says when it is done.
func TestTheLogStreamOfAProject(t *testing.T) {
	for scheme, endpoint := range map[string]string{"http": gateway.HTTP, "https": gateway.HTTPS} {
		for _, slash := range []string{"", "/"} {
			k := connect(scheme, endpoint+slash, gateway.Token)
			context, failed := k.projects.CreateProject(models.CreateProject{Name: text("logged"), Shipyard: text(shipyard)})
			ok(t, failure(failed))
			socket, _, err := read(strings.Replace(scheme, "http", "ws", 1)+"://"+endpoint+slash, context)
			ok(t, err)
			if all := messages(t, socket); len(all) != 1 || all[0] != "sh.keptn.internal.event.project.create done" {
				t.Errorf("%s%s: read %q", scheme, slash, all)
			}
			socket.Close()
			_, failed = k.projects.DeleteProject(models.Project{ProjectName: "logged"})
			ok(t, failure(failed))
		}
	}
}

// A service of Keptn's writes with the library, the command line reads: before, while and after.
func TestTheLogStreamBetweenClients(t *testing.T) {
	k := at("")
	context, failed := k.events.SendEvent(event("sh.keptn.events.test", ""))
	ok(t, failure(failed))
	reader, _, err := read("ws://"+gateway.HTTP, context)
	ok(t, err)
	defer reader.Close()

	writer, _, err := lib.OpenWS(lib.ConnectionData{EventContext: *context}, url.URL{Scheme: "http", Host: gateway.HTTP})
	ok(t, err)
	defer writer.Close()
	logger := lib.NewCombinedLogger(lib.NewLogger(*context.KeptnContext, "", "test"), writer, *context.KeptnContext)
	logger.Info("onboarding")
	logger.Error("Größe; 100%\n")
	long := lib.LogData{Message: strings.Repeat("x", 200_000), LogLevel: "DEBUG"}
	ok(t, lib.WriteLog(writer, long, *context.KeptnContext))
	logger.Terminate()
	all := messages(t, reader)
	if len(all) != 4 || all[0] != "onboarding" || all[1] != "Größe; 100%\n" || all[2] != long.Message || all[3] != "" {
		t.Errorf("read %.100q", all)
	}
	// The channel stays open after `terminate`: the next message comes as well.
	logger.Terminate()
	messages(t, reader)
}

func TestTheLogStreamIsRefused(t *testing.T) {
	k := at("")
	good, failed := k.events.SendEvent(event("sh.keptn.events.test", ""))
	ok(t, failure(failed))
	for name, refusal := range map[string]struct{ token, body string }{
		"no token":              {"", `{"code":401,"message":"Token must be one JSON web token"}`},
		"x-token's":             {gateway.Token, `{"code":401,"message":"Token must be one JSON web token"}`},
		"two":                   {*good.Token + "," + *good.Token, `{"code":401,"message":"Token must be one JSON web token"}`},
		"signed by another one": {(*good.Token)[:len(*good.Token)-43] + strings.Repeat("A", 43), ""},
	} {
		socket, response, err := read("ws://"+gateway.HTTP, &models.EventContext{Token: &refusal.token, KeptnContext: good.KeptnContext})
		if !errors.Is(err, websocket.ErrBadHandshake) {
			t.Errorf("%s: %v", name, err)
			if socket != nil {
				socket.Close()
			}
			continue
		}
		body, err := io.ReadAll(response.Body)
		ok(t, err)
		if response.StatusCode != 401 || string(body) != refusal.body {
			t.Errorf("%s: %d %q", name, response.StatusCode, body)
		}
	}
	// The log stream is at the endpoint itself and nowhere else.
	socket, response, err := read("ws://"+gateway.HTTP+"/v1/event", good)
	if socket != nil || err == nil || response.StatusCode != 400 {
		t.Errorf("at /v1/event: %v, %+v", err, response)
	}
}
