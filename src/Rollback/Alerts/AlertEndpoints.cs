using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Millrace.Rollback.Releases;

namespace Millrace.Rollback.Alerts;

internal static class AlertEndpoints
{
    public static void MapAlerts(this IEndpointRouteBuilder routes) => routes.MapPost("/alerts", ReceiveAsync);

    /// <summary>Alertmanager repeats what got 5xx and nothing else: 503 is for what may go better soon, 200 for what was decided.</summary>
    private static async Task<IResult> ReceiveAsync(HttpContext context, RollbackOptions options, Rollbacks rollbacks, IHostApplicationLifetime lifetime, ILogger<Notification> logger)
    {
        if (!MayAsk(context.Request.Headers.Authorization.ToString(), options.Token))
        {
            logger.Unauthorized();
            context.Response.Headers.WWWAuthenticate = "Bearer";
            return Answer(401, "unauthorized", "Authorization: Bearer with the token is missing.");
        }
        try
        {
            if (await JsonSerializer.DeserializeAsync(context.Request.Body, RollbackJson.Default.Notification, context.RequestAborted) is not { IsWhole: true } notification)
                return Answer(400, "malformed", "The notification, or something in it, is null.");
            var decision = await rollbacks.DecideAsync(notification, lifetime.ApplicationStopping); // who called may leave; the rollback goes on
            return Answer(decision.Outcome is Outcome.RolledBack or Outcome.Refused ? 200 : 503, decision.Reason, decision.Detail, decision.Outcome == Outcome.RolledBack);
        }
        catch (JsonException error) { return Answer(400, "malformed", error.Message); }
        catch (BadHttpRequestException error) { return Answer(error.StatusCode, error.StatusCode == 413 ? "too_large" : "malformed", error.Message); }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested) { return Answer(503, "stopping", "This process ends; the next one goes on."); }
    }

    private static IResult Answer(int status, string reason, string detail, bool acted = false) =>
        Results.Json(new Answer(acted, reason, detail), RollbackJson.Default.Answer, statusCode: status);

    /// <summary>Hashes are of one length, and comparing them takes one time.</summary>
    private static bool MayAsk(string header, string token) => header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
        && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(header["Bearer ".Length..])), SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
