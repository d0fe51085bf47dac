namespace Millrace.Storage;

/// <summary>The store can't be reached or can't write now. Whether a write under way happened is unknown.</summary>
public sealed class StoreUnavailableException : Exception
{
    public StoreUnavailableException() { }
    public StoreUnavailableException(string message) : base(message) { }
    public StoreUnavailableException(string message, Exception inner) : base(message, inner) { }
}
