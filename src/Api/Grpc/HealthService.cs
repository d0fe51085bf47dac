using Grpc.Core;
using Grpc.Health.V1;
using Millrace.Api.Grpc.Protos;
using Millrace.Api.Health;
using Millrace.Api.Models;
using Millrace.Hosting.Lifecycle;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace Millrace.Api.Grpc;

/// <summary>What <c>/v2/health/ready</c> says, for those who ask as all of gRPC does.</summary>
/// <remarks>Source: GRPC Health Checking Protocol. The empty name is the server as a whole.</remarks>
internal sealed class HealthService(ModelCatalog catalog, Draining draining, TimeProvider time) : global::Grpc.Health.V1.Health.HealthBase
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) => IsKnown(request.Service)
        ? Task.FromResult(new HealthCheckResponse { Status = Now })
        : throw new RpcException(new Status(StatusCode.NotFound, $"There is no such service; here is {GRPCInferenceService.Descriptor.FullName}."));

    /// <summary>Tells each change, until the client has enough or the process stops.</summary>
    public override async Task Watch(HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, draining.Begun);
        ServingStatus? told = null;
        while (!context.CancellationToken.IsCancellationRequested)
        {
            var now = IsKnown(request.Service) ? Now : ServingStatus.ServiceUnknown;
            if (now != told)
                await responseStream.WriteAsync(new HealthCheckResponse { Status = now }, context.CancellationToken);
            told = now;
            if (draining.Begun.IsCancellationRequested)
                return;
            await Task.Delay(Interval, time, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private ServingStatus Now => ApiChecks.WhyNotReady(draining, catalog) is null ? ServingStatus.Serving : ServingStatus.NotServing;

    private static bool IsKnown(string service) => service.Length == 0 || service == GRPCInferenceService.Descriptor.FullName;
}
