using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Millrace.Api.Models;
using Millrace.Hosting.Telemetry;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Telemetry;

internal static class Tagging
{
    public static void Tag(this HttpContext context, ServedVersion served)
    {
        if (context.Features.Get<RequestTags>() is { } tags)
            (tags.Model, tags.ModelVersion) = (served.Model, served.Version);
        Activity.Current?.SetTag("millrace.model", served.Model).SetTag("millrace.model.version", served.Version);
    }

    public static void Tag(this HttpContext context, Job job)
    {
        if (context.Features.Get<RequestTags>() is { } tags)
            (tags.Model, tags.ModelVersion, tags.JobId) = (job.Model, job.ModelVersion, job.Id.ToString());
        Activity.Current?.SetTag("millrace.job.id", job.Id.ToString());
    }
}
