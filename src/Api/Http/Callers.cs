using Microsoft.AspNetCore.Http;

namespace Millrace.Api.Http;

/// <summary>Who calls. Without keys everybody is one tenant.</summary>
internal static class Callers
{
    private const string Everybody = "default";

    public static string Tenant(this HttpContext _) => Everybody;
}
