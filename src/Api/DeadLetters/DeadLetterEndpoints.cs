using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Millrace.Api.Access;
using Millrace.Api.Http;
using Millrace.Api.Jobs;
using Millrace.Storage.Access;
using Millrace.Storage.DeadLetters;
using Millrace.Storage.Jobs;

namespace Millrace.Api.DeadLetters;

/// <param name="Reason">Why it was set aside: the broker's word, or what could not be read.</param>
/// <param name="Job">Of a ticket that can be read, else null.</param>
/// <param name="Body">Its beginning as text; what is no text is shown as a replacement character.</param>
public sealed record DeadLetterView(string Id, DateTime At, string Queue, string Reason, string? Job, long Bytes, string Body);

public sealed record DeadLetterList(IReadOnlyList<DeadLetterView> Data);

internal static class DeadLetterEndpoints
{
    private const int Most = 200;
    private const int ShownBytes = 256;

    public static void MapDeadLetters(this IEndpointRouteBuilder routes) =>
        routes.MapGroup("/v1/dead-letters").WithTags("Queues").MapGet("/", ListAsync).Needs(Roles.Operate).WithName("ListDeadLetters")
            .WithSummary("Messages that could not be read or were given up by the broker, newest first").Produces<DeadLetterList>();

    private static async Task ListAsync(HttpContext context, IDeadLetterStore store)
    {
        Queries.AllowOnly(context.Request);
        var letters = await store.ListAsync(Most, context.RequestAborted);
        await JsonBody.WriteAsync(context, new DeadLetterList(letters.Select(View).ToArray()), ApiJson.Default.DeadLetterList);
    }

    private static DeadLetterView View(DeadLetter letter) => new(letter.Id.ToString("N"), letter.At.UtcDateTime, letter.Queue, letter.Reason,
        letter.JobId is { } job ? new JobId(job).ToString() : null, letter.Bytes, Encoding.UTF8.GetString(letter.Body.Span[..Math.Min(ShownBytes, letter.Body.Length)]));
}
