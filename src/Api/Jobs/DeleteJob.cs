using Microsoft.AspNetCore.Http;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

/// <summary><c>DELETE /v1/jobs/{id}</c>: removes a job that has ended. Delete is not cancel.</summary>
internal static class DeleteJob
{
    public static async Task HandleAsync(HttpContext context, IJobStore store, string id)
    {
        Queries.AllowOnly(context.Request);
        var outcome = await store.DeleteAsync(context.Tenant(), JobIds.Parse(id), context.RequestAborted) ?? throw JobIds.Unknown();
        if (outcome == DeleteOutcome.NotFinal)
            throw new RefusedException(ErrorCode.JobNotFinished, $"Only a job that has ended can be deleted; cancel it first with POST {context.Request.Path}/cancel.");
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }
}
