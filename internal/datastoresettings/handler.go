package datastoresettings

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/healthlake"
)

// physicalID names the resource to CloudFormation. It never changes: CloudFormation would take another one for another
// resource, and delete the first.
const physicalID = "DatastoreSettings"

// respond is how much of an invocation's time is kept for the response to CloudFormation, which would otherwise wait for
// the resource's ServiceTimeout.
const respond = 15 * time.Second

// Handler handles the events of the custom resource. Its properties are contract.DatastoreProperties.
type Handler struct {
	client client
	idp    string                                     // the ARN of the function that checks tokens
	sleep  func(context.Context, time.Duration) error // ctx's error if ctx ends first
	log    *slog.Logger
}

// NewHandler returns a handler that logs one line for each event. It never has another function check tokens than idp, an ARN:
// whoever may invoke the handler must not thereby decide who gets to the records.
func NewHandler(cfg aws.Config, idp string, log *slog.Logger) *Handler {
	return &Handler{client: healthlake.NewFromConfig(cfg), idp: idp, sleep: sleep, log: log}
}

// Handle is a cfn.CustomResourceFunction. Its error is what CloudFormation shows to who deploys.
func (h *Handler) Handle(ctx context.Context, event cfn.Event) (id string, data map[string]any, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-respond))
		defer cancel()
	}
	started := time.Now()
	asked, err := read(event)
	switch {
	case err != nil || len(asked.changes) == 0:
	case asked.wanted.IdpLambdaArn != h.idp:
		err = errOtherFunction
	default:
		err = h.change(ctx, asked.datastoreID, asked.wanted)
	}
	line := h.log.With("request", event.RequestType, "datastore_id", asked.datastoreID, "changes", asked.changes,
		"total_ms", time.Since(started).Milliseconds())
	if err != nil {
		line.Error("datastoreSettings", "error", err.Error())
	} else {
		line.Info("datastoreSettings")
	}
	return physicalID, nil, err
}

var errOtherFunction = errors.New("IdpLambdaArn is not the function of this deployment; if CloudFormation sent this, deploy again by make deploy")

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
