using System.Net;

namespace Millrace.Rollback.Kubernetes;

/// <summary>The API server did not do what it was asked.</summary>
internal sealed class KubernetesException(HttpStatusCode? status, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Its answer; null when there was none.</summary>
    public HttpStatusCode? Status => status;

    /// <summary>Somebody else changed the object since it was read, or it exists already.</summary>
    public bool IsConflict => status == HttpStatusCode.Conflict;
}
