using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using Millrace.Api.Access;
using Scalar.AspNetCore;

namespace Millrace.Api.Docs;

/// <summary>The interface for machines at /openapi/v1.json, and for people at /docs.</summary>
internal static class ApiDocs
{
    public static void AddApiDocs(this IServiceCollection services) => services.AddOpenApi("v1", options => options.AddDocumentTransformer((document, _, _) =>
    {
        document.Info = new OpenApiInfo
        {
            Title = "Millrace",
            Version = "v1",
            Description = "ONNX models over the Open Inference Protocol v2, on the same connection or as jobs.",
            License = new OpenApiLicense { Name = "Apache-2.0", Identifier = "Apache-2.0" },
        };
        document.Servers = []; // relative to wherever the document was read from
        return Task.CompletedTask;
    }));

    public static void MapApiDocs(this IEndpointRouteBuilder routes)
    {
        routes.MapOpenApi("/openapi/v1.json").NeedsSomebodyKnown();
        routes.MapScalarApiReference("/docs", options =>
        {
            options.Title = "Millrace";
            options.DefaultFonts = false; // nothing is fetched from elsewhere
            options.Telemetry = false;
            options.ProxyUrl = null;
        }).NeedsSomebodyKnown();
    }
}
