using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;
using Millrace.Api.Errors;
using Millrace.Api.Http;
using Millrace.Api.Inference;
using Millrace.Api.Replays;
using Millrace.Hosting.Lifecycle;
using Millrace.Storage.Access;

namespace Millrace.Api.Jobs;

internal static class JobEndpoints
{
    private const string ProblemJson = "application/problem+json";

    public static void MapJobs(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/v1/jobs").WithTags("Jobs");
        group.MapPost("/", SubmitAsync).Needs(Roles.Submit).WithName("SubmitJob").WithSummary("Store a job, then answer 202")
            .Accepts<SubmitSchema>("application/json", "application/octet-stream", "*/*").Produces<JobView>(202).Produces<JobView>()
            .Produces<Problem>(400, ProblemJson).Produces<Problem>(404, ProblemJson).Produces<Problem>(422, ProblemJson).Produces<Problem>(503, ProblemJson);
        group.MapGet("/", ListJobs.HandleAsync).Needs(Roles.Read).WithName("ListJobs").WithSummary("List jobs, newest first").Produces<JobList>().Produces<Problem>(400, ProblemJson);
        group.MapGet("/{id}", ReadJob.HandleAsync).Needs(Roles.Read).WithName("ReadJob").WithSummary("Read a job's state, or wait for its end with ?wait=")
            .Produces<JobView>().Produces(304).Produces<Problem>(404, ProblemJson);
        group.MapDelete("/{id}", DeleteJob.HandleAsync).Needs(Roles.Submit).WithName("DeleteJob").WithSummary("Delete a job that has ended")
            .Produces(204).Produces<Problem>(404, ProblemJson).Produces<Problem>(409, ProblemJson);
        group.MapGet("/{id}/result", JobResult.HandleAsync).Needs(Roles.Read).WithName("ReadResult").WithSummary("Read the inference response of a succeeded job")
            .Produces<InferenceResponseSchema>(200, "application/json", "application/octet-stream").Produces<Problem>(404, ProblemJson).Produces<Problem>(406, ProblemJson).Produces<Problem>(409, ProblemJson).Produces<Problem>(410, ProblemJson);
        group.MapPost("/{id}/cancel", CancelJob.HandleAsync).Needs(Roles.Submit).WithName("CancelJob").WithSummary("Cancel a job that has not ended")
            .Produces<JobView>().Produces<Problem>(404, ProblemJson).Produces<Problem>(409, ProblemJson);
        group.MapPost("/{id}/replay", ReplayJob.HandleAsync).Needs(Roles.Submit, "job.replay").WithName("ReplayJob").WithSummary("Make a new job from one that has ended")
            .Accepts<ReplayRequest>("application/json", "*/*").Produces<JobView>(202).Produces<JobView>().Produces<Problem>(404, ProblemJson).Produces<Problem>(409, ProblemJson).Produces<Problem>(410, ProblemJson);
        group.MapGet("/{id}/events", Events).Needs(Roles.Read).WithName("JobEvents").WithSummary("Not built yet").Produces<Problem>(501, ProblemJson);
    }

    private static async Task SubmitAsync(HttpContext context, JobSubmission jobs, Draining draining, HttpOptions options)
    {
        using var work = Admission.Begin(draining);
        Queries.AllowOnly(context.Request);
        using var body = await RequestBody.ReadAsync(context, options.MaxBodyBytes);
        await jobs.SubmitAsync(context, body.Bytes);
    }

    private static void Events() => throw new RefusedException(ErrorCode.NotImplemented, "The stream of events is not built yet; wait with GET /v1/jobs/{id}?wait=60.");
}
